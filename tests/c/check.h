/* What the C tests share: a check that says where it failed, an engine, and a token. */
#ifndef CHECK_H
#define CHECK_H

#include <signoff.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);        \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

/* Compares statuses, and names both where they differ. */
#define EXPECT(call, expected)                                                             \
    do {                                                                                   \
        signoff_status got_ = (call);                                                      \
        if (got_ != (expected)) {                                                          \
            fprintf(stderr, "%s:%d: %s instead of %s: %s\n", __FILE__, __LINE__,           \
                    signoff_status_name(got_), signoff_status_name(expected), #call);      \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

static const char SECRET[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* 2023-11-14T22:13:20Z */
static const int64_t NOW_MS = INT64_C(1700000000000);

static inline int is_text(signoff_str text, const char *expected)
{
    return text.data != NULL && text.len == strlen(expected) && memcmp(text.data, expected, text.len) == 0;
}

static inline signoff_times at(int64_t unix_ms)
{
    signoff_times times = SIGNOFF_TIMES_INIT;
    times.unix_ms = unix_ms;
    return times;
}

static inline signoff_key_set *some_keys(void)
{
    signoff_key_set *keys = NULL;
    EXPECT(signoff_key_set_from_secret(SIGNOFF_ALGORITHM_HS256, SECRET, sizeof SECRET - 1, 0, &keys, NULL), SIGNOFF_OK);
    return keys;
}

static inline signoff_engine *engine_with(const signoff_policy *policy, const signoff_log_options *options)
{
    signoff_key_set *keys = some_keys();
    signoff_engine *engine = NULL;
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_status status;
    if (options == NULL) {
        status = signoff_engine_new(keys, policy, &engine, &error);
    } else {
        signoff_log *log = NULL;
        EXPECT(signoff_log_new(options, &log, &error), SIGNOFF_OK);
        status = signoff_engine_open(keys, policy, log, &engine, &error);
        signoff_log_free(log);
    }
    if (status != SIGNOFF_OK) fprintf(stderr, "%s\n", error.message);
    EXPECT(status, SIGNOFF_OK);
    signoff_key_set_free(keys);
    return engine;
}

static inline signoff_engine *memory_engine(void)
{
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    options.kind = SIGNOFF_LOG_MEMORY;
    return engine_with(&policy, &options);
}

/* Signs claims, and returns the token in memory of its own, to be freed. */
static inline char *sign(const signoff_engine *engine, const char *claims, const signoff_times *times)
{
    char texts[2048];
    signoff_new_token new_token = SIGNOFF_NEW_TOKEN_INIT;
    signoff_signed made = SIGNOFF_SIGNED_INIT;
    signoff_error error = SIGNOFF_ERROR_INIT;
    char *copy;
    new_token.claims = signoff_str_of(claims);
    new_token.expires_in_ms = 3600u * 1000;
    signoff_status status = signoff_engine_sign(engine, &new_token, times, texts, sizeof texts, &made, &error);
    if (status != SIGNOFF_OK) fprintf(stderr, "%s\n", error.message);
    EXPECT(status, SIGNOFF_OK);
    copy = (char *)malloc(made.token.len + 1);
    CHECK(copy != NULL);
    memcpy(copy, made.token.data, made.token.len);
    copy[made.token.len] = 0;
    return copy;
}

static inline signoff_status verdict(const signoff_engine *engine, const char *token, const signoff_times *times)
{
    return signoff_engine_verify(engine, token, strlen(token), times, NULL, 0, NULL, NULL);
}

#endif
