// Package sentry has what the heartbeat client reads of github.com/getsentry/sentry-go, in the same shape.
package sentry

import (
	"crypto/x509"
	"net/http"
)

type ClientOptions struct {
	Dsn              string
	Debug            bool
	SampleRate       float64
	TracesSampleRate float64
	Release          string
	Environment      string
	DisableLogs      bool
	HTTPClient       *http.Client
	HTTPTransport    http.RoundTripper
	HTTPProxy        string
	HTTPSProxy       string
	CaCerts          *x509.CertPool
}

type Client struct{ options ClientOptions }

func (client *Client) Options() ClientOptions { return client.options }

type Hub struct{ client *Client }

func (hub *Hub) Client() *Client { return hub.client }

var current = &Hub{}

func CurrentHub() *Hub { return current }

func Init(options ClientOptions) error {
	if options.SampleRate == 0 {
		options.SampleRate = 1
	}
	current.client = &Client{options}
	return nil
}
