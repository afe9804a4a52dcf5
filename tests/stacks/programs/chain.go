// main.main → alpha → beta → delta, and the same on a goroutine.
package main

import (
	"os"
	"strconv"
	"time"
)

//go:noinline
func delta(x uint64) uint64 {
	for i := 0; i < 60; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

//go:noinline
func beta(x uint64) uint64 {
	a, b := x*3, x^5
	for i := 0; i < 6; i++ {
		x = delta(x + a)
		a, b = a+x, b^a
	}
	return a ^ b
}

//go:noinline
func alpha(x uint64) uint64 {
	for i := 0; i < 6; i++ {
		x += beta(x)
	}
	return x
}

//go:noinline
func work(end time.Time) uint64 {
	total := uint64(0)
	for time.Now().Before(end) {
		for n := 0; n < 64; n++ {
			total = alpha(total) + 1
		}
	}
	return total
}

func main() {
	seconds, _ := strconv.ParseFloat(os.Args[1], 64)
	end := time.Now().Add(time.Duration(seconds * 1e9))
	done := make(chan uint64)
	go func() { done <- work(end) }()
	total := work(end)
	if total+<-done == 42 {
		os.Exit(1)
	}
}
