package vault

// OpenField opens a row as it stands in the database.
var OpenField = (*Vault).openField

// NotAfter is when a certificate ends.
var NotAfter = notAfter

// Affordable refuses a file that asks for too much work.
func Affordable(der []byte) error { return affordable(der, maxNesting) }

// Occupy keeps others from opening files until release is called.
func Occupy() (release func()) {
	for range maxDecoding {
		decoding <- struct{}{}
	}
	return func() {
		for range maxDecoding {
			<-decoding
		}
	}
}

// OpenSecret opens a secret of a subscription as it stands in the database.
var OpenSecret = (*Vault).openSecret

// SecretsAt are those of some secrets that are there at a time.
var SecretsAt = secretsAt
