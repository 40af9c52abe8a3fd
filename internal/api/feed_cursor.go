package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"

	"mooring/internal/account"
)

// feedCursors makes and reads the cursors of one account's feed. A cursor is
// one block of AES: a position, and whose it is. The position counts what
// happened to all accounts, so it is not told. The key is as old as the data
// and stays when other keys change: a cursor is good as long as the data are.
type feedCursors struct {
	block cipher.Block
	whose []byte
}

func newFeedCursors(key []byte, id account.ID) feedCursors {
	block, err := aes.NewCipher(keyedHash(key, "feed cursors"))
	if err != nil {
		panic(err) // the length of a hash is one that AES takes
	}
	return feedCursors{block, keyedHash(key, "feed of "+string(id))[:8]}
}

func keyedHash(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func (c feedCursors) at(position int64) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(position))
	b = append(b, c.whose...)
	c.block.Encrypt(b, b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// position is where a cursor stands; not ok when it was not made for this feed,
// letter by letter.
func (c feedCursors) position(cursor string) (position int64, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) != aes.BlockSize || len(cursor) != base64.RawURLEncoding.EncodedLen(len(b)) {
		return 0, false
	}
	c.block.Decrypt(b, b)
	position = int64(binary.BigEndian.Uint64(b))
	return position, subtle.ConstantTimeCompare(b[8:], c.whose) == 1 && position >= 0
}
