// What Go runs on the stack of its scheduler: C, the clock of the vDSO, its own
// tracebacks, and the growing of stacks.
package main

/*
#cgo CFLAGS: -O2 -g
static volatile unsigned long sink;
__attribute__((noinline)) void c_work(unsigned long n) {
    for (unsigned long i = 0; i < n; i++) sink += i * i;
}
*/
import "C"
import (
	"os"
	"runtime"
	"strconv"
	"time"
)

//go:noinline
func callsC(end time.Time) {
	for time.Now().Before(end) {
		C.c_work(300000)
	}
}

//go:noinline
func readsClock(end time.Time) {
	for time.Now().Before(end) {
	}
}

//go:noinline
func traces(end time.Time) {
	pcs := make([]uintptr, 32)
	for time.Now().Before(end) {
		for n := 0; n < 200; n++ {
			runtime.Callers(0, pcs)
		}
	}
}

func main() {
	seconds, _ := strconv.ParseFloat(os.Args[1], 64)
	share := time.Duration(seconds * 1e9 / 3)
	callsC(time.Now().Add(share))
	readsClock(time.Now().Add(share))
	traces(time.Now().Add(share))
}
