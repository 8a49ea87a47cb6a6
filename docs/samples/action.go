// Signs one request of the Action API, sends it and prints the answer: Go, standard library.
//
//	PANOREC_KEY_SECRET=… go run action.go http://127.0.0.1:8080 KEY_ID '{"Action": "List"}'
package main

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

const jsonType = "application/json"

func sign(header http.Header, keyID, secret, body string) {
	date := time.Now().UTC().Format(http.TimeFormat)
	// The digits of the MD5, not its bytes, are encoded.
	digest := md5.Sum([]byte(body))
	contentMD5 := base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(digest[:])))
	// Signed headers, then method, Accept, Content-Type, Content-MD5 and path; a base URL's own path is not signed.
	toSign := strings.Join([]string{"x-date: " + date, "POST", jsonType, jsonType, contentMD5, "/record"}, "\n")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(toSign))
	signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	header.Set("Accept", jsonType)
	header.Set("Content-Type", jsonType)
	header.Set("Content-MD5", contentMD5)
	header.Set("x-date", date)
	header.Set("Authorization", fmt.Sprintf(
		`hmac id="%s", algorithm="hmac-sha256", headers="x-date", signature="%s"`, keyID, signature))
}

func run(url, keyID, secret, body string) error {
	request, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(url, "/")+"/record", strings.NewReader(body))
	if err != nil {
		return err
	}
	sign(request.Header, keyID, secret, body)
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	fmt.Println(string(text))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP %s", answer.Status)
	}
	return nil
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: go run action.go URL KEY_ID BODY")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Getenv("PANOREC_KEY_SECRET"), os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
