/* One engine, many threads: four verify as fast as they can while one logs users out.
 *
 *     cc $(pkg-config --cflags signoff) examples/c/threads.c $(pkg-config --libs signoff) -pthread -o threads
 *     ./threads
 */
#include <pthread.h>
#include <signoff.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, USERS = 100, ROUNDS = 200, TOKEN_MAX = 512 };

static signoff_engine *engine;
static char tokens[USERS][TOKEN_MAX];
static size_t lengths[USERS];

static void must(signoff_status status, const signoff_error *error)
{
    if (status != SIGNOFF_OK) {
        fprintf(stderr, "%s: %s\n", signoff_status_name(status), error->message);
        exit(1);
    }
}

struct tally {
    unsigned long accepted, revoked, other;
};

/* The engine is shared; buffer, claims and error are each thread's own. */
static void *verifier(void *argument)
{
    struct tally *tally = argument;
    char texts[SIGNOFF_BUFFER_BYTES(TOKEN_MAX)];
    signoff_claims claims = SIGNOFF_CLAIMS_INIT;
    for (int round = 0; round < ROUNDS; round++) {
        for (int user = 0; user < USERS; user++) {
            signoff_status status = signoff_engine_verify(engine, tokens[user], lengths[user], NULL, texts,
                                                          sizeof texts, &claims, NULL);
            if (status == SIGNOFF_OK) tally->accepted++;
            else if (status == SIGNOFF_TOKEN_REVOKED || status == SIGNOFF_TOKEN_TOO_SOON) tally->revoked++;
            else tally->other++;
        }
    }
    return NULL;
}

static void *logger_out(void *argument)
{
    (void)argument;
    signoff_error error = SIGNOFF_ERROR_INIT;
    for (int user = 0; user < USERS; user++) {
        char name[16];
        snprintf(name, sizeof name, "user-%d", user);
        signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
        revocation.target = SIGNOFF_REVOKE_SUBJECT;
        revocation.value = signoff_str_of(name);
        must(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), &error);
        /* Acknowledged: from here on nobody accepts it. */
        if (signoff_engine_verify(engine, tokens[user], lengths[user], NULL, NULL, 0, NULL, &error) == SIGNOFF_OK) {
            fprintf(stderr, "%s was accepted after log out\n", name);
            exit(1);
        }
    }
    return NULL;
}

int main(void)
{
    static const char secret[] = "a secret of at least 32 bytes, kept secret";
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_key_set *keys = NULL;
    must(signoff_key_set_from_secret(SIGNOFF_ALGORITHM_HS256, secret, sizeof secret - 1, 0, &keys, &error), &error);
    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    options.kind = SIGNOFF_LOG_MEMORY;
    signoff_log *log = NULL;
    must(signoff_log_new(&options, &log, &error), &error);
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    must(signoff_engine_open(keys, &policy, log, &engine, &error), &error);
    signoff_log_free(log);
    signoff_key_set_free(keys);

    for (int user = 0; user < USERS; user++) {
        char texts[TOKEN_MAX], json[64];
        snprintf(json, sizeof json, "{\"sub\":\"user-%d\"}", user);
        signoff_new_token new_token = SIGNOFF_NEW_TOKEN_INIT;
        new_token.claims = signoff_str_of(json);
        new_token.expires_in_ms = 3600u * 1000;
        signoff_signed login = SIGNOFF_SIGNED_INIT;
        must(signoff_engine_sign(engine, &new_token, NULL, texts, sizeof texts, &login, &error), &error);
        memcpy(tokens[user], login.token.data, login.token.len);
        lengths[user] = login.token.len;
    }

    pthread_t threads[THREADS], out;
    struct tally tallies[THREADS] = { { 0, 0, 0 } }, all = { 0, 0, 0 };
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, verifier, &tallies[i]);
    pthread_create(&out, NULL, logger_out, NULL);
    pthread_join(out, NULL);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        all.accepted += tallies[i].accepted;
        all.revoked += tallies[i].revoked;
        all.other += tallies[i].other;
    }
    printf("%lu accepted, %lu logged out, %lu anything else\n", all.accepted, all.revoked, all.other);
    signoff_engine_free(engine);
    return all.other == 0 ? 0 : 1;
}
