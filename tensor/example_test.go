package tensor_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/sprocket-video/sprocket/tensor"
)

// A batch is one tensor; its frames are views of it.
func Example() {
	batch := tensor.New(tensor.Uint8, 8, 3, 480, 640) // frames, channels, rows, columns
	frame := batch.Index(5)
	frame.Bytes()[0] = 255

	fmt.Println(batch, "has", batch.Len(), "elements; frame 5 is", frame)
	fmt.Println(batch.Bytes()[5*frame.Len()])
	// Output:
	// uint8[8 3 480 640] has 7372800 elements; frame 5 is uint8[3 480 640]
	// 255
}

// Memory of any library that works on slices can be decoded into, and given on, without a copy.
func ExampleFromSlice() {
	input := make([]float32, 2*3*4)
	x, err := tensor.FromSlice(input, 2, 3, 4)
	if err != nil {
		log.Fatal(err)
	}
	tensor.Values[float32](x.Index(1))[0] = 0.5
	fmt.Println(input[12])
	// Output: 0.5
}

// Models differ in the order they want the axes in.
func ExampleTensor_Permute() {
	nhwc := tensor.New(tensor.Uint8, 8, 480, 640, 3)
	nchw := nhwc.Permute(0, 3, 1, 2)
	fmt.Println(nchw, "contiguous:", nchw.Contiguous())
	fmt.Println(nchw.Clone(), "contiguous:", nchw.Clone().Contiguous())
	// Output:
	// uint8[8 3 480 640] contiguous: false
	// uint8[8 3 480 640] contiguous: true
}

// Batch after batch goes through the same memory.
func ExamplePool() {
	pool := tensor.NewPool(256<<20, tensor.Uint8, 16, 3, 224, 224)
	for range 3 {
		batch := pool.Get()
		// decode into batch, run the model
		pool.Put(batch)
	}
	fmt.Println(pool.Get())
	// Output: uint8[16 3 224 224]
}

func ExampleWriteNPY() {
	x, err := tensor.FromSlice([]int64{10, 20, 30}, 3)
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := tensor.WriteNPY(&file, x); err != nil {
		log.Fatal(err)
	}
	back, err := tensor.ParseNPY(file.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(back, tensor.Values[int64](back))
	// Output: int64[3] [10 20 30]
}

// Frames, their numbers and their times in one file.
func ExampleWriteSafetensors() {
	frames := tensor.New(tensor.Uint8, 2, 3, 4, 4)
	times, _ := tensor.FromSlice([]float64{0, 0.04}, 2)
	numbers, _ := tensor.FromSlice([]int64{0, 1}, 2)
	var file bytes.Buffer
	if err := tensor.WriteSafetensors(&file, map[string]string{"source": "clip.mp4"},
		tensor.Named{Name: "frames", Tensor: frames},
		tensor.Named{Name: "pts_seconds", Tensor: times},
		tensor.Named{Name: "index", Tensor: numbers}); err != nil {
		log.Fatal(err)
	}
	tensors, metadata, _ := tensor.ParseSafetensors(file.Bytes())
	for _, n := range tensors {
		fmt.Println(n.Name, n.Tensor)
	}
	fmt.Println(metadata)
	// Output:
	// pts_seconds float64[2]
	// index int64[2]
	// frames uint8[2 3 4 4]
	// map[source:clip.mp4]
}
