package drive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Client sends requests to one server and keeps nothing between them.
type Client struct {
	BaseURL   string
	PublicURL string // under which the server's clients know it
	http      *http.Client
}

// NewClient makes a client of the server at baseURL that follows no redirects.
func NewClient(baseURL string) *Client {
	return &Client{baseURL, baseURL, &http.Client{
		Timeout:       30 * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Within is c with less time for a request.
func (c *Client) Within(limit time.Duration) *Client {
	hasty := *c.http
	hasty.Timeout = limit
	return &Client{c.BaseURL, c.PublicURL, &hasty}
}

// Answer is a whole response.
type Answer struct {
	Method string
	Target string // the request's path and query, as sent
	Status int
	Header http.Header
	Body   []byte
}

// Do sends one request. target is sent as it is written, so that paths that a
// URL parser would tidy up arrive untouched.
func (c *Client) Do(method, target string, header http.Header, body []byte) (Answer, error) {
	req, err := http.NewRequest(method, c.BaseURL, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	req.URL.Opaque = target
	if body == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header = header
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return Answer{method, target, resp.StatusCode, resp.Header, got}, err
}

// Token asks for an access token in the documented way.
func (c *Client) Token(who Credentials) (string, error) {
	body := fmt.Sprintf(`{"grant_type":"client_credentials","audience":"%s/v1/accounts/%s"}`, c.PublicURL, who.Account)
	header := http.Header{"Content-Type": {"application/json"}}
	header.Set("Authorization", Basic(who))
	answer, err := c.Do("POST", "/v1/accounts/"+who.Account+"/auth/token", header, []byte(body))
	if err != nil {
		return "", err
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &token) != nil {
		return "", fmt.Errorf("no token: %d %s", answer.Status, answer.Body)
	}
	return token.AccessToken, nil
}

// Basic is the Authorization header that shows a client's secret.
func Basic(who Credentials) string {
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(who.ID, who.Secret)
	return req.Header.Get("Authorization")
}
