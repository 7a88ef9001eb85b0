// Command check decodes the test vectors of the codec, and encodes their values anew.
//
//	go run ./codec/check ../../../tests/vectors/codec.json
//
// It prints the new encodings, as payloads in JSON, one a line; and fails if a vector does not decode to
// its value, or if one that must be refused does decode.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"durable.dev/examples/clients/go/codec"
	durable "durable.dev/gen/go/durable/v1"
)

type vectors struct {
	Keys    map[string][]byte
	Valid   []vector
	Invalid []vector
}

type vector struct {
	Name             string
	Payload, Encoded json.RawMessage
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	var given vectors
	check(json.Unmarshal(text, &given))
	reader := codec.Codec{Keys: given.Keys}
	for _, it := range given.Valid {
		value := payload(it.Payload)
		decoded, err := reader.Decode(payload(it.Encoded))
		if err != nil || !proto.Equal(decoded, value) {
			log.Fatalf("%s: %v %v", it.Name, decoded, err)
		}
		for id := range given.Keys {
			for _, algorithm := range []codec.Algorithm{codec.AES256GCM, codec.ChaCha20Poly1305} {
				for _, compress := range []bool{false, true} {
					writer := codec.Codec{Keys: given.Keys, Newest: id, Algorithm: algorithm, Compress: compress}
					encoded, err := writer.Encode(value)
					check(err)
					line, err := protojson.MarshalOptions{}.Marshal(encoded)
					check(err)
					fmt.Printf("%s\t%s\n", it.Name, line)
				}
			}
		}
	}
	for _, it := range given.Invalid {
		if decoded, err := reader.Decode(payload(it.Encoded)); err == nil {
			log.Fatalf("%s is decoded: %v", it.Name, decoded)
		}
	}
}

func payload(text []byte) *durable.Payload {
	found := &durable.Payload{}
	check(protojson.Unmarshal(text, found))
	return found
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
