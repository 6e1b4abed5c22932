/* Tokens by libjwt. Prints `algorithm token` lines. */
#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    static const struct { const char *name, *jti; jwt_alg_t alg; } algs[] = {
        {"HS256", "libjwt-hs256-1", JWT_ALG_HS256},
        {"HS384", "libjwt-hs384-1", JWT_ALG_HS384},
        {"HS512", "libjwt-hs512-1", JWT_ALG_HS512},
    };
    if (argc != 2) return 2;
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        jwt_t *jwt = NULL;
        char *token;
        if (jwt_new(&jwt)
            || jwt_add_grants_json(jwt, "{\"iss\":\"https://id.example\",\"sub\":\"user-42\",\"aud\":[\"api\",\"web\"],"
                                        "\"iat\":1700000000,\"nbf\":1700000000,\"exp\":1700003600,"
                                        "\"name\":\"Zo\xc3\xab \\\"Z\\\" \xe6\x97\xa5\xe6\x9c\xac\"}")
            || jwt_add_grant(jwt, "jti", algs[i].jti)
            || jwt_set_alg(jwt, algs[i].alg, (const unsigned char *)argv[1], (int)strlen(argv[1]))
            || !(token = jwt_encode_str(jwt)))
            return 1;
        printf("%s %s\n", algs[i].name, token);
        free(token);
        jwt_free(jwt);
    }
    return 0;
}
