// MIT License. Part of Firstlight. Copy this file into your project; it needs nothing but Go 1.18 or newer.

// Package firstlight tells a Firstlight server that your application runs, and how its Sentry SDK is set up.
//
//	firstlight.Start(firstlight.Options{Sentry: sentry.CurrentHub().Client()})  // after sentry.Init
//	firstlight.Start(firstlight.Options{DSN: dsn})                              // without an SDK
//	firstlight.Start(firstlight.Options{DSN: dsn, Interval: 30 * time.Second})  // a back end: say so every 30 seconds
//	defer firstlight.Start(firstlight.Options{DSN: dsn})()                      // a program that ends at once
//
// It works in a goroutine of its own, never panics, and prints nothing unless Debug is set.
package firstlight

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	version     = "0.1.0"
	timeout     = 5 * time.Second
	exitNaps    = 50 // of a millisecond each, for what Start returns; counted, so that on a busy machine all have their turn
	maxBackoff  = 5 * time.Minute
	rateLimited = time.Minute // what SDKs wait after a 429 without Retry-After
	sdkModule   = "github.com/getsentry/sentry-go"
)

// Options of Start. What is left out comes from the SDK, else from SENTRY_DSN, SENTRY_RELEASE and SENTRY_ENVIRONMENT.
type Options struct {
	DSN         string
	Release     string
	Environment string
	Interval    time.Duration // 1 s to 1 h; 0: one heartbeat only
	Debug       bool          // tell on stderr what happens
	Sentry      interface{}   // sentry.CurrentHub().Client(), or the sentry.ClientOptions you gave to sentry.Init
}

type named struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

type heartbeat struct {
	Type        string                 `json:"type"`
	Interval    float64                `json:"interval,omitempty"`
	SDK         named                  `json:"sdk"`
	Release     string                 `json:"release,omitempty"`
	Environment string                 `json:"environment,omitempty"`
	Runtime     named                  `json:"runtime"`
	Config      map[string]interface{} `json:"config,omitempty"`
}

type beat struct {
	url, key string
	body     []byte
	interval time.Duration
	debug    bool
	failures int
	once     sync.Once
	written  chan struct{} // closed when the first heartbeat left
	flushing int32         // 1 when the next write is the last of the request
	client   http.Client
}

// left says that the first heartbeat is with the kernel, or will not come there.
func (b *beat) left() { b.once.Do(func() { close(b.written) }) }

// connection tells when a request is written: WroteRequest of httptrace comes before the last of it is flushed.
type connection struct {
	net.Conn
	beat *beat
}

func (c connection) Write(data []byte) (int, error) {
	count, err := c.Conn.Write(data)
	if atomic.LoadInt32(&c.beat.flushing) == 1 {
		c.beat.left()
	}
	return count, err
}

func (b *beat) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialed, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return connection{dialed, b}, nil
}

var started sync.Map

// Start sends one heartbeat, and goes on every Interval if there is one. It returns at once.
// What it returns waits for the first heartbeat to be written, 50 ms at most.
func Start(options Options) (wait func()) {
	wait = func() {}
	defer func() {
		if reason := recover(); reason != nil {
			say(options.Debug, "no heartbeat: %v", reason)
		}
	}()
	sdk := optionsOf(options.Sentry)
	options.Debug = options.Debug || sdk.flag("Debug")
	url, key := parse(first(options.DSN, sdk.text("Dsn"), os.Getenv("SENTRY_DSN")))
	if url == "" {
		say(options.Debug, "no heartbeat: there is no valid DSN")
		return
	}
	if _, known := started.LoadOrStore(url+key, true); known {
		return
	}
	if options.Interval > 0 {
		options.Interval = limit(options.Interval, time.Second, time.Hour)
	}
	body, err := json.Marshal(heartbeat{
		Type:        "heartbeat",
		Interval:    options.Interval.Seconds(),
		SDK:         sdk.name(),
		Release:     short(first(options.Release, sdk.text("Release"), os.Getenv("SENTRY_RELEASE"))),
		Environment: short(first(options.Environment, sdk.text("Environment"), os.Getenv("SENTRY_ENVIRONMENT"))),
		Runtime:     named{"go", strings.TrimPrefix(runtime.Version(), "go")},
		Config:      sdk.config(),
	})
	if err != nil {
		say(options.Debug, "no heartbeat: %v", err)
		return
	}
	b := &beat{url: url, key: key, body: body, interval: options.Interval, debug: options.Debug, written: make(chan struct{})}
	if sdkURL, sdkKey := parse(sdk.text("Dsn")); sdkURL == url && sdkKey == key {
		b.client = sdk.client(b.dial)
	} else {
		b.client = sentryOptions{}.client(b.dial)
	}
	go b.run()
	return func() {
		for nap := 0; nap < exitNaps; nap++ {
			select {
			case <-b.written:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}
}

func (b *beat) run() {
	defer func() {
		if reason := recover(); reason != nil {
			say(b.debug, "no more heartbeats: %v", reason)
		}
	}()
	for {
		status, retryAfter := b.post()
		delay := b.delayAfter(status, retryAfter)
		if delay <= 0 {
			return
		}
		time.Sleep(delay)
	}
}

// post sends one heartbeat and returns the status, 0 without one, and Retry-After.
func (b *beat) post() (int, string) {
	defer b.left()
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { atomic.StoreInt32(&b.flushing, 1) }}
	ctx := httptrace.WithClientTrace(context.Background(), trace)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, bytes.NewReader(b.body))
	if err != nil {
		say(b.debug, "not sent: %v", err)
		return 0, ""
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "firstlight.go/"+version)
	request.Header.Set("X-Sentry-Auth", "Sentry sentry_version=7, sentry_key="+b.key)
	answer, err := b.client.Do(request)
	if err != nil {
		say(b.debug, "not sent: %v", err)
		return 0, ""
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 4096)
	return answer.StatusCode, answer.Header.Get("Retry-After")
}

// delayAfter returns the time until the next heartbeat; 0: there is none.
func (b *beat) delayAfter(status int, retryAfter string) time.Duration {
	say(b.debug, "%s answered %d", b.url, status)
	switch {
	case status >= 200 && status < 300:
		b.failures = 0
		return b.interval
	case status == 400 || status == 401 || status == 403 || status == 404:
		say(b.debug, "the DSN is refused; no more heartbeats") // that will not change until somebody changes the DSN
		return 0
	case status == 429 || status == 503:
		seconds, err := strconv.ParseUint(strings.TrimSpace(retryAfter), 10, 31)
		if err == nil {
			return limit(time.Duration(seconds)*time.Second, time.Second, time.Hour)
		}
		if status == 429 {
			return rateLimited
		}
	}
	b.failures++
	backoff := limit(time.Second<<uint(min(b.failures, 10)), time.Second, maxBackoff)
	return time.Duration(float64(backoff) * (0.5 + rand.Float64()/2))
}

var dsnPattern = regexp.MustCompile(
	`^(https?)://(\w+)(?::\w*)?@([\w.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?((?:/[\w.~%-]+)*)/([1-9]\d{0,18})/?$`)

// parse returns the URL to post to and the key; both are empty where it is no DSN.
func parse(dsn string) (url, key string) {
	match := dsnPattern.FindStringSubmatch(strings.TrimSpace(dsn))
	if match == nil {
		return "", ""
	}
	return fmt.Sprintf("%s://%s%s%s/api/%s/heartbeat/", match[1], match[3], match[4], match[5], match[6]), match[2]
}

// sentryOptions are the SDK's ClientOptions, read by name: so this file does not depend on it.
type sentryOptions struct{ value reflect.Value }

func optionsOf(sdk interface{}) sentryOptions {
	value := reflect.ValueOf(sdk)
	if value.Kind() == reflect.Ptr {
		if value.IsNil() {
			return sentryOptions{}
		}
		if method := value.MethodByName("Options"); method.IsValid() && method.Type().NumIn() == 0 && method.Type().NumOut() == 1 {
			value = method.Call(nil)[0]
		} else {
			value = value.Elem()
		}
	}
	if value.Kind() != reflect.Struct {
		return sentryOptions{}
	}
	if inner := value.FieldByName("options"); inner.Kind() == reflect.Struct { // a Client too old to have Options()
		value = inner
	}
	return sentryOptions{value}
}

// client is like the SDK's own: with its client, or its transport, proxy and certificates.
func (o sentryOptions) client(dial func(context.Context, string, string) (net.Conn, error)) http.Client {
	client := http.Client{}
	if given, ok := o.any("HTTPClient").(*http.Client); ok && given != nil {
		client = *given
	} else if given, ok := o.any("HTTPTransport").(http.RoundTripper); ok {
		client.Transport = given
	} else {
		client.Transport = &http.Transport{
			Proxy:               o.proxy(),
			DialContext:         dial,
			TLSClientConfig:     o.tls(),
			TLSHandshakeTimeout: timeout,
			DisableKeepAlives:   true,
		}
	}
	client.Timeout = timeout
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the key is for this server alone
	return client
}

func (o sentryOptions) proxy() func(*http.Request) (*url.URL, error) {
	if address := first(o.text("HTTPSProxy"), o.text("HTTPProxy")); address != "" {
		return func(*http.Request) (*url.URL, error) { return url.Parse(address) }
	}
	return http.ProxyFromEnvironment
}

func (o sentryOptions) tls() *tls.Config {
	if certificates, ok := o.any("CaCerts").(*x509.CertPool); ok && certificates != nil {
		return &tls.Config{RootCAs: certificates}
	}
	return nil
}

// any returns the value of a field, or nil where there is none that can be read.
func (o sentryOptions) any(name string) interface{} {
	if !o.value.IsValid() {
		return nil
	}
	if field := o.value.FieldByName(name); field.IsValid() && field.CanInterface() {
		return field.Interface()
	}
	return nil
}

func (o sentryOptions) field(name string, kind reflect.Kind) (reflect.Value, bool) {
	if !o.value.IsValid() {
		return reflect.Value{}, false
	}
	field := o.value.FieldByName(name)
	return field, field.IsValid() && field.Kind() == kind
}

func (o sentryOptions) text(name string) string {
	field, ok := o.field(name, reflect.String)
	if !ok {
		return ""
	}
	return field.String()
}

func (o sentryOptions) flag(name string) bool {
	field, ok := o.field(name, reflect.Bool)
	return ok && field.Bool()
}

func (o sentryOptions) config() map[string]interface{} {
	found := map[string]interface{}{}
	for name, field := range map[string]string{"sample_rate": "SampleRate", "traces_sample_rate": "TracesSampleRate"} {
		if value, ok := o.field(field, reflect.Float64); ok && value.Float() >= 0 && value.Float() <= 1 {
			found[name] = value.Float()
		}
	}
	if found["sample_rate"] == 0.0 { // the SDK takes it for 1, too
		found["sample_rate"] = 1.0
	}
	for name, field := range map[string]string{"enable_logs": "EnableLogs", "debug": "Debug", "send_default_pii": "SendDefaultPII"} {
		if value, ok := o.field(field, reflect.Bool); ok {
			found[name] = value.Bool()
		}
	}
	for name, field := range map[string]string{"enable_logs": "DisableLogs", "enable_metrics": "DisableMetrics"} {
		if value, ok := o.field(field, reflect.Bool); ok && (found[name] == nil || value.Bool()) {
			found[name] = !value.Bool()
		}
	}
	return found
}

// name says which SDK this is: its version stands in the program itself.
func (o sentryOptions) name() named {
	if !o.value.IsValid() {
		return named{"firstlight.go", version}
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if module.Path == sdkModule {
				return named{"sentry.go", strings.TrimPrefix(module.Version, "v")}
			}
		}
	}
	return named{"sentry.go", ""}
}

func first(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

func short(text string) string {
	if letters := []rune(text); len(letters) > 200 {
		return string(letters[:200])
	}
	return text
}

func limit(value, low, high time.Duration) time.Duration {
	if value < low {
		return low
	}
	if value > high {
		return high
	}
	return value
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func say(debug bool, format string, values ...interface{}) {
	if debug {
		fmt.Fprintf(os.Stderr, "[firstlight] "+format+"\n", values...)
	}
}
