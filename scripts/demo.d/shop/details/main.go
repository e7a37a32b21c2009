// Details of a product.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/details", func(answer http.ResponseWriter, _ *http.Request) {
		answer.Header().Set("content-type", "application/json")
		json.NewEncoder(answer).Encode(map[string]any{"width": "120 cm", "shafts": 8, "wood": "beech"})
	})
	http.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) {})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
