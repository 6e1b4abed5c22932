/* Log in, use the token, log out, use it again: the whole story, with every result looked at.
 *
 *     cc $(pkg-config --cflags signoff) examples/c/logout.c $(pkg-config --libs signoff) -o logout
 *     ./logout /tmp/signoff.db
 */
#include <signoff.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In a program of yours it comes from a secret store, and has 32 random bytes or more. */
static const char SECRET[] = "a secret of at least 32 bytes, kept secret";

static void must(signoff_status status, const char *what, const signoff_error *error)
{
    if (status != SIGNOFF_OK) {
        fprintf(stderr, "%s: %s: %s\n", what, signoff_status_name(status), error->message);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    signoff_error error = SIGNOFF_ERROR_INIT;

    /* Once, when the program starts. */
    signoff_key_set *keys = NULL;
    must(signoff_key_set_from_secret(SIGNOFF_ALGORITHM_HS256, SECRET, sizeof SECRET - 1, 0, &keys, &error), "keys",
         &error);

    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    options.kind = SIGNOFF_LOG_SQLITE;
    options.flags = SIGNOFF_LOG_CREATE_IF_MISSING;
    options.path = signoff_str_of(argc > 1 ? argv[1] : "signoff.db");
    signoff_log *log = NULL;
    must(signoff_log_new(&options, &log, &error), "log", &error);

    signoff_str issuer = SIGNOFF_STR("https://id.example");
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    policy.issuers = &issuer;
    policy.issuers_len = 1;
    signoff_engine *engine = NULL;
    must(signoff_engine_open(keys, &policy, log, &engine, &error), "engine", &error);
    signoff_log_free(log);
    signoff_key_set_free(keys);

    /* Log in: a token for a day. */
    char signed_texts[1024];
    signoff_new_token new_token = SIGNOFF_NEW_TOKEN_INIT;
    new_token.claims = SIGNOFF_STR("{\"iss\":\"https://id.example\",\"sub\":\"42\",\"role\":\"admin\"}");
    new_token.expires_in_ms = 24u * 3600 * 1000;
    signoff_signed login = SIGNOFF_SIGNED_INIT;
    must(signoff_engine_sign(engine, &new_token, NULL, signed_texts, sizeof signed_texts, &login, &error), "sign",
         &error);

    /* On every request: the bytes after "Bearer ". */
    char texts[SIGNOFF_BUFFER_BYTES(1024)];
    signoff_claims claims = SIGNOFF_CLAIMS_INIT;
    must(signoff_engine_verify(engine, login.token.data, login.token.len, NULL, texts, sizeof texts, &claims, &error),
         "verify", &error);
    printf("accepted: user %.*s, %.*s\n", (int)claims.subject.len, claims.subject.data, (int)claims.payload.len,
           claims.payload.data);

    /* Log out. With SIGNOFF_OK it is on the disk. */
    signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
    revocation.target = SIGNOFF_REVOKE_TOKEN;
    revocation.value = login.token;
    must(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), "revoke", &error);

    /* Somebody has kept a copy of the token. */
    signoff_status status = signoff_engine_verify(engine, login.token.data, login.token.len, NULL, texts, sizeof texts,
                                                  &claims, &error);
    printf("%s: %s (answer with %d)\n", signoff_status_name(status), error.message, (int)signoff_status_http(status));

    signoff_engine_free(engine);
    return status == SIGNOFF_TOKEN_REVOKED ? 0 : 1;
}
