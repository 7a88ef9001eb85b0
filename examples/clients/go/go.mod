module durable.dev/examples/clients/go

go 1.24.0

require (
	durable.dev/gen/go v0.0.0
	golang.org/x/crypto v0.40.0
	google.golang.org/genproto/googleapis/rpc v0.0.0-20250818200422-3122310a409c
	google.golang.org/grpc v1.76.0
	google.golang.org/protobuf v1.36.11
)

require (
	golang.org/x/net v0.42.0 // indirect
	golang.org/x/sys v0.34.0 // indirect
	golang.org/x/text v0.27.0 // indirect
	google.golang.org/genproto/googleapis/api v0.0.0-20250825161204-c5933d9347a5 // indirect
)

// The stubs are in this repository.
replace durable.dev/gen/go => ../../../gen/go
