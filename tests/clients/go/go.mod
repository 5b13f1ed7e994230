module example.com/bucketlist/scenario

go 1.23

require (
	example.com/bucketlist/client-v1 v0.0.0
	example.com/bucketlist/client-v2 v0.0.0
)

replace (
	example.com/bucketlist/client-v1 => ../../../target/clients/go/v1
	example.com/bucketlist/client-v2 => ../../../target/clients/go/v2
)
