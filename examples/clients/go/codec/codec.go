// Package codec encrypts and decrypts payloads as the Python SDK's EncryptionCodec does.
//
// The format is in docs/encryption.md. Encode what a program sends (the input of an Invoke, the value of
// an awakeable or a signal) and decode what it receives; a worker does both with all payloads of its
// messages.
package codec

import (
	"bytes"
	"compress/zlib"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
	"google.golang.org/protobuf/proto"

	durable "durable.dev/gen/go/durable/v1"
)

// ContentType is that of an encrypted payload.
const ContentType = "application/x-durable-encrypted"

const (
	version   = 1
	plain     = 0
	zlibbed   = 1
	nonceSize = 12
	tagSize   = 16
	sizeMax   = 64 << 20 // of a value that is decompressed
)

// Algorithm says how values are encrypted; both are decrypted.
type Algorithm byte

// The algorithms, with their numbers in the format.
const (
	AES256GCM        Algorithm = 1
	ChaCha20Poly1305 Algorithm = 2
)

// ErrUnknownKey says that a value was encrypted with a key that is not known here.
var ErrUnknownKey = errors.New("the key is not known here")

// Codec has the keys, each of 32 random bytes, by their ids.
type Codec struct {
	Keys      map[string][]byte
	Newest    string // the id of the key that values are encrypted with
	Algorithm Algorithm
	Compress  bool
}

// Encode returns the encrypted payload.
func (c *Codec) Encode(payload *durable.Payload) (*durable.Payload, error) {
	value, err := proto.Marshal(payload)
	if err != nil {
		return nil, err
	}
	compression := byte(plain)
	if c.Compress {
		var smaller bytes.Buffer
		writer := zlib.NewWriter(&smaller)
		writer.Write(value) // into memory, which does not fail
		writer.Close()
		if smaller.Len() < len(value) {
			value, compression = smaller.Bytes(), zlibbed
		}
	}
	aead, err := c.aead(c.Algorithm, c.Newest)
	if err != nil {
		return nil, err
	}
	data := append([]byte{version, byte(c.Algorithm), compression, byte(len(c.Newest))}, c.Newest...)
	associated := append([]byte(ContentType), data...)
	nonce := make([]byte, nonceSize)
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	data = append(data, nonce...)
	return &durable.Payload{ContentType: ContentType, Data: aead.Seal(data, nonce, value, associated)}, nil
}

// Decode returns the payload that was encrypted. One that nobody has encoded is returned as it is.
func (c *Codec) Decode(payload *durable.Payload) (*durable.Payload, error) {
	if !strings.HasPrefix(payload.GetContentType(), "application/x-durable-") {
		return payload, nil
	}
	data := payload.GetData()
	if payload.ContentType != ContentType || len(data) < 4 || data[0] != version {
		return nil, fmt.Errorf("%s, version %v, is not known here", payload.ContentType, data[:min(1, len(data))])
	}
	start := 4 + int(data[3])
	if len(data) < start+nonceSize+tagSize {
		return nil, fmt.Errorf("the value ends after %d bytes", len(data))
	}
	aead, err := c.aead(Algorithm(data[1]), string(data[4:start]))
	if err != nil {
		return nil, err
	}
	associated := append([]byte(ContentType), data[:start]...)
	value, err := aead.Open(nil, data[start:start+nonceSize], data[start+nonceSize:], associated)
	if err != nil {
		return nil, fmt.Errorf("the value was changed, or another key has the id %q", data[4:start])
	}
	if value, err = decompressed(value, data[2]); err != nil {
		return nil, err
	}
	decoded := &durable.Payload{}
	return decoded, proto.Unmarshal(value, decoded)
}

func (c *Codec) aead(algorithm Algorithm, id string) (cipher.AEAD, error) {
	key, known := c.Keys[id]
	if !known {
		return nil, fmt.Errorf("%w: %q", ErrUnknownKey, id)
	}
	switch algorithm {
	case AES256GCM:
		if len(key) != 32 {
			return nil, fmt.Errorf("the key %q has %d bytes and must have 32", id, len(key))
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCM(block)
	case ChaCha20Poly1305:
		return chacha20poly1305.New(key)
	}
	return nil, fmt.Errorf("algorithm %d is not known here", algorithm)
}

func decompressed(value []byte, compression byte) ([]byte, error) {
	if compression == plain {
		return value, nil
	}
	if compression != zlibbed {
		return nil, fmt.Errorf("compression %d is not known here", compression)
	}
	reader, err := zlib.NewReader(bytes.NewReader(value))
	if err != nil {
		return nil, err
	}
	found, err := io.ReadAll(io.LimitReader(reader, sizeMax+1))
	if len(found) > sizeMax {
		return nil, fmt.Errorf("the value has more than %d bytes", sizeMax)
	}
	return found, err
}
