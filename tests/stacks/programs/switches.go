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
	"syscall"
	"time"
)

// CPU time of this process in seconds, by a system call: a busy machine makes no
// difference.
//
//go:noinline
func cpu() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		os.Exit(1)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) * 1e-9
}

//go:noinline
func callsC(end float64) {
	for cpu() < end {
		C.c_work(300000)
	}
}

var last time.Time

//go:noinline
func readsClock(end float64) {
	for cpu() < end {
		for n := 0; n < 10000; n++ {
			last = time.Now()
		}
	}
}

//go:noinline
func traces(end float64) {
	pcs := make([]uintptr, 32)
	for cpu() < end {
		for n := 0; n < 200; n++ {
			runtime.Callers(0, pcs)
		}
	}
}

// Each for the whole time: what is looked at is what comes after the first stacks.
func main() {
	seconds, _ := strconv.ParseFloat(os.Args[1], 64)
	callsC(cpu() + seconds)
	readsClock(cpu() + seconds)
	traces(cpu() + seconds)
}
