package hook

import (
	"crypto/sha256"
	"encoding/hex"
)

// DeliveryID is the id of an entry on its way to a subscription: a UUID that
// both give, the same for ever.
func DeliveryID(subscription, entry string) string {
	sum := sha256.Sum256([]byte(subscription + "/" + entry))
	sum[6] = sum[6]&0x0f | 0x80 // a UUID of version 8: of our own making
	sum[8] = sum[8]&0x3f | 0x80
	var b [36]byte
	hex.Encode(b[0:8], sum[0:4])
	hex.Encode(b[9:13], sum[4:6])
	hex.Encode(b[14:18], sum[6:8])
	hex.Encode(b[19:23], sum[8:10])
	hex.Encode(b[24:36], sum[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}
