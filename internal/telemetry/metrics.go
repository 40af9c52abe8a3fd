package telemetry

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is the program's own registry. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec

	mu       sync.Mutex
	counters map[string]prometheus.Counter
	gauges   map[string]prometheus.Gauge
	families map[string]*prometheus.CounterVec
}

// NewMetrics makes a registry with the Go runtime's and the process's own
// figures and the histogram of requests.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "mooring_request_seconds",
			Help:    "How long requests took, by operation and status.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"operation", "status"}),
		counters: map[string]prometheus.Counter{},
		gauges:   map[string]prometheus.Gauge{},
		families: map[string]*prometheus.CounterVec{},
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests,
	)
	return m
}

// Observe counts one request. The operation is an operationId of the
// contract, or one fixed word for requests that met none.
func (m *Metrics) Observe(operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Observe(took.Seconds())
}

// Counter is the counter of that name, made at its first use. Names begin
// with "mooring_" and end in "_total"; a name belongs to one counter, and the
// help of its first use is kept.
func (m *Metrics) Counter(name, help string) prometheus.Counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.counters[name]
	if !ok {
		c = prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.registry.MustRegister(c)
		m.counters[name] = c
	}
	return c
}

// CounterOf is the counter of that name for one value of a label, such as a
// provider. The values must be few, and never tell of an account.
func (m *Metrics) CounterOf(name, help, label, value string) prometheus.Counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.families[name]
	if !ok {
		f = prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
		m.registry.MustRegister(f)
		m.families[name] = f
	}
	return f.WithLabelValues(value)
}

// GaugeOf is a gauge for one value of a label, which read gives when it is
// asked for. The values must be few, and never tell of an account; each is made once.
func (m *Metrics) GaugeOf(name, help, label, value string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: name, Help: help, ConstLabels: prometheus.Labels{label: value},
	}, read))
}

// Gauge is the gauge of that name, made at its first use.
func (m *Metrics) Gauge(name, help string) prometheus.Gauge {
	m.mu.Lock()
	defer m.mu.Unlock()
	g, ok := m.gauges[name]
	if !ok {
		g = prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		m.registry.MustRegister(g)
		m.gauges[name] = g
	}
	return g
}

// Render is the text that Prometheus scrapes, and its media type.
func (m *Metrics) Render() (text []byte, contentType string, err error) {
	p := page{header: http.Header{}, status: http.StatusOK}
	ask, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		return nil, "", fmt.Errorf("render metrics: %w", err)
	}
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(&p, ask)
	if p.status != http.StatusOK {
		return nil, "", fmt.Errorf("render metrics: %s", p.Bytes())
	}
	return p.Bytes(), p.header.Get("Content-Type"), nil
}

// page takes what an http.Handler answers.
type page struct {
	bytes.Buffer
	header http.Header
	status int
}

func (p *page) Header() http.Header    { return p.header }
func (p *page) WriteHeader(status int) { p.status = status }
