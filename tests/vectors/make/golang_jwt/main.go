// Tokens by golang-jwt. Prints `algorithm token` lines.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/golang-jwt/jwt"
)

func main() {
	for _, method := range []*jwt.SigningMethodHMAC{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
		claims := jwt.MapClaims{"iss": "https://id.example", "sub": "user-42", "aud": []string{"api", "web"},
			"iat": 1700000000, "nbf": 1700000000, "exp": 1700003600,
			"jti": "golang-jwt-" + strings.ToLower(method.Alg()) + "-1", "name": "Zoë \"Z\" 日本"}
		token, err := jwt.NewWithClaims(method, claims).SignedString([]byte(os.Args[1]))
		if err != nil {
			panic(err)
		}
		fmt.Println(method.Alg(), token)
	}
}
