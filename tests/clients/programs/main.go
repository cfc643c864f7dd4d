// An application with a heartbeat client: `app MODE DSN [INTERVAL]`.
package main

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"shop/firstlight"

	"github.com/getsentry/sentry-go"
)

func main() {
	mode, options := os.Args[1], firstlight.Options{DSN: os.Args[2]}
	if os.Getenv("SDK") != "" {
		sentry.Init(sentry.ClientOptions{
			Dsn: options.DSN, Release: "shop@1.4.0", Environment: "staging", TracesSampleRate: 0.25,
			HTTPProxy: os.Getenv("PROXY"), CaCerts: certificates(os.Getenv("CA")),
		})
		options = firstlight.Options{Sentry: sentry.CurrentHub().Client()}
	}
	if len(os.Args) > 3 {
		seconds, _ := strconv.ParseFloat(os.Args[3], 64)
		options.Interval = time.Duration(seconds * float64(time.Second))
	}
	computed, started := cpu(), time.Now()
	if mode != "none" {
		defer firstlight.Start(options)()
	}
	if mode == "time" {
		fmt.Println(float64(cpu()-computed)/1000, float64(time.Since(started).Microseconds())/1000)
	}
	if mode == "run" {
		bufio.NewReader(os.Stdin).ReadString('\n')
	}
}

func certificates(file string) *x509.CertPool {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// cpu returns the microseconds that this process computed.
func cpu() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return syscall.TimevalToNsec(usage.Utime) / 1000
}
