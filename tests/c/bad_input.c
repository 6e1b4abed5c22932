/* What is wrong with a call is answered with a status, and nothing else happens. Argument: how many random calls to make. */
#include "check.h"
#include <stddef.h>

static void null_everywhere(void)
{
    signoff_engine *engine = memory_engine();
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_key_set *keys = some_keys(), *made_keys = keys;
    signoff_engine *made = engine;
    signoff_log *log = (signoff_log *)(void *)engine;
    signoff_accepted *accepted = (signoff_accepted *)(void *)engine;
    signoff_revoking *revoking = (signoff_revoking *)(void *)engine;
    signoff_listing *listing = (signoff_listing *)(void *)engine;
    signoff_claims claims = SIGNOFF_CLAIMS_INIT;
    signoff_revoked revoked = SIGNOFF_REVOKED_INIT;
    signoff_signed made_token = SIGNOFF_SIGNED_INIT;
    signoff_new_token new_token = SIGNOFF_NEW_TOKEN_INIT;
    signoff_health health = SIGNOFF_HEALTH_INIT;
    signoff_stats stats = SIGNOFF_STATS_INIT;
    signoff_record record = SIGNOFF_RECORD_INIT;
    signoff_str text;
    signoff_status status = SIGNOFF_OK;
    char buffer[64];
    size_t len;
    uint32_t kind = 99;
    uint64_t count;

    /* What a failed call was to make is NULL, whatever was there. */
    EXPECT(signoff_key_set_new(NULL, 1, &made_keys, &error), SIGNOFF_ERR_NULL);
    CHECK(made_keys == NULL && strstr(error.message, "keys is NULL") != NULL);
    EXPECT(signoff_key_set_new(NULL, 0, &made_keys, &error), SIGNOFF_KEY_SET_EMPTY);
    EXPECT(signoff_key_set_from_secret(1, NULL, 32, 0, &made_keys, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_key_set_from_secret(1, NULL, 0, 0, &made_keys, &error), SIGNOFF_KEY_TOO_SHORT);
    EXPECT(signoff_key_set_from_secret(1, SECRET, sizeof SECRET - 1, 0, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_key_set_from_jwks(NULL, 0, 0, &made_keys, &error), SIGNOFF_KEY_MALFORMED);
    EXPECT(signoff_engine_new(NULL, &policy, &made, &error), SIGNOFF_ERR_NULL);
    CHECK(made == NULL);
    EXPECT(signoff_engine_new(keys, NULL, &made, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_new(keys, &policy, NULL, NULL), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_open(keys, &policy, NULL, &made, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_log_new(NULL, &log, &error), SIGNOFF_ERR_NULL);
    CHECK(log == NULL);
    EXPECT(signoff_engine_on_same_log(NULL, keys, &policy, &made, &error), SIGNOFF_ERR_NULL);
    CHECK(made == NULL);
    EXPECT(signoff_engine_on_same_log(engine, NULL, &policy, &made, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_on_same_log(engine, keys, NULL, &made, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_on_same_log(engine, keys, &policy, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_insecure_screen(NULL, "a", 1, NULL, &kind, &error), SIGNOFF_ERR_NULL);
    CHECK(kind == SIGNOFF_CLEARED_NOTHING);
    EXPECT(signoff_engine_insecure_screen(engine, NULL, 1, NULL, &kind, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_insecure_screen(engine, NULL, 0, NULL, NULL, NULL), SIGNOFF_TOKEN_PARTS);
    EXPECT(signoff_engine_replace_keys(engine, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_replace_keys(NULL, keys, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_verify(NULL, "a", 1, NULL, buffer, sizeof buffer, &claims, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_verify(engine, NULL, 1, NULL, buffer, sizeof buffer, &claims, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_verify(engine, NULL, 0, NULL, NULL, 0, NULL, NULL), SIGNOFF_TOKEN_PARTS);
    EXPECT(signoff_engine_verify(engine, "a", 1, NULL, NULL, 1, &claims, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_verify_batch(engine, NULL, 1, NULL, &status, &error), SIGNOFF_ERR_NULL);
    EXPECT(status, SIGNOFF_ERR_NOT_VERIFIED);
    EXPECT(signoff_engine_authenticate(engine, "a", 1, buffer, sizeof buffer, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_authenticate(NULL, "a", 1, buffer, sizeof buffer, &text, &error), SIGNOFF_ERR_NULL);
    CHECK(text.data == NULL && text.len == 0);
    EXPECT(signoff_engine_accept(engine, NULL, 0, NULL, &accepted, &error), SIGNOFF_TOKEN_PARTS);
    CHECK(accepted == NULL);
    EXPECT(signoff_accepted_claims(NULL, &claims, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_accepted_copy_token_id(NULL, buffer, sizeof buffer, &len, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_is_revoked(engine, NULL, &status, &error), SIGNOFF_ERR_NULL);
    EXPECT(status, SIGNOFF_ERR_NOT_VERIFIED);
    EXPECT(signoff_claims_copy_value(NULL, "a", 1, &kind, buffer, sizeof buffer, &len, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_claims_copy_audience(NULL, 0, &kind, buffer, sizeof buffer, &len, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_claims_copy_value(&claims, "a", 1, NULL, buffer, sizeof buffer, &len, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_sign(engine, NULL, NULL, buffer, sizeof buffer, &made_token, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_sign(engine, &new_token, NULL, buffer, sizeof buffer, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_sign(NULL, &new_token, NULL, buffer, sizeof buffer, &made_token, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_revoke(engine, NULL, NULL, &revoked, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_start_revoke(engine, NULL, NULL, &revoking, &error), SIGNOFF_ERR_NULL);
    CHECK(revoking == NULL);
    EXPECT(signoff_revoking_wait(NULL, 0, &revoked, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_refresh(NULL, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_compact(NULL, 0, NULL, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_insecure_reset_watermark(NULL, NULL, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_listing_new(NULL, &listing, &error), SIGNOFF_ERR_NULL);
    CHECK(listing == NULL);
    EXPECT(signoff_listing_next(NULL, &record, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_health(engine, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_health(NULL, &health, &error), SIGNOFF_ERR_NULL);
    CHECK(health.ready == 0);
    EXPECT(signoff_engine_stats(engine, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_stats(NULL, &stats, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_count(engine, 0, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_count(engine, -5, &count, &error), SIGNOFF_ERR_OPTION);
    EXPECT(signoff_engine_copy_fault(engine, NULL, 1, &len, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_copy_prometheus(engine, buffer, sizeof buffer, NULL, &error), SIGNOFF_ERR_NULL);
    EXPECT(signoff_engine_copy_prometheus(engine, NULL, 0, &len, &error), SIGNOFF_ERR_BUFFER_TOO_SMALL);
    CHECK(len > 1000 && error.needed == len);
    CHECK(signoff_key_set_len(NULL) == 0 && signoff_key_set_skipped(NULL) == 0 && signoff_key_set_skipped_key(NULL, 0).data == NULL && signoff_str_of(NULL).data == NULL);

    signoff_engine_free(NULL);
    signoff_key_set_free(NULL);
    signoff_log_free(NULL);
    signoff_accepted_free(NULL);
    signoff_revoking_free(NULL);
    signoff_listing_free(NULL);
    signoff_engine_free(engine);
    signoff_key_set_free(keys);
}

static void lengths_that_are_impossible(void)
{
    signoff_engine *engine = memory_engine();
    signoff_key_set *keys = NULL;
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_str token = SIGNOFF_STR_INIT;
    signoff_status status = SIGNOFF_OK;
    char buffer[8];
    EXPECT(signoff_key_set_from_secret(1, SECRET, SIZE_MAX, 0, &keys, &error), SIGNOFF_ERR_LENGTH);
    EXPECT(signoff_key_set_from_jwks(SECRET, SIZE_MAX, 0, &keys, &error), SIGNOFF_ERR_LENGTH);
    EXPECT(signoff_key_set_new((const signoff_key *const *)(const void *)SECRET, SIZE_MAX, &keys, &error), SIGNOFF_ERR_LENGTH);
    EXPECT(signoff_engine_verify(engine, "a.b.c", SIZE_MAX, NULL, NULL, 0, NULL, &error), SIGNOFF_ERR_LENGTH);
    /* Too long to be looked at, and so it is not. */
    EXPECT(signoff_engine_verify(engine, "a.b.c", SIZE_MAX / 2, NULL, NULL, 0, NULL, &error), SIGNOFF_TOKEN_TOO_LONG);
    EXPECT(signoff_engine_verify(engine, "a.b.c", 5, NULL, buffer, SIZE_MAX, NULL, &error), SIGNOFF_ERR_LENGTH);
    token.data = "a.b.c";
    token.len = SIZE_MAX;
    EXPECT(signoff_engine_verify_batch(engine, &token, 1, NULL, &status, &error), SIGNOFF_ERR_LENGTH);
    EXPECT(status, SIGNOFF_ERR_LENGTH);
    EXPECT(signoff_engine_verify_batch(engine, &token, SIZE_MAX, NULL, &status, &error), SIGNOFF_ERR_LENGTH);
    CHECK(signoff_buffer_bytes(1000) == SIGNOFF_BUFFER_BYTES(1000) && signoff_buffer_bytes(SIZE_MAX) > 1000);
    signoff_engine_free(engine);
}

static void structs_of_another_size(void)
{
    signoff_engine *engine = memory_engine();
    signoff_key_set *keys = some_keys();
    signoff_engine *made = NULL;
    static const uint32_t sizes[] = { 0, 1, 4, 8, 1000000, UINT32_MAX };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        signoff_error error = SIGNOFF_ERROR_INIT;
        signoff_policy policy = SIGNOFF_POLICY_INIT;
        policy.struct_size = sizes[i];
        EXPECT(signoff_engine_new(keys, &policy, &made, &error), SIGNOFF_ERR_STRUCT_SIZE);
        CHECK(strstr(error.message, "signoff_policy->struct_size") != NULL);
        signoff_claims claims = SIGNOFF_CLAIMS_INIT;
        claims.struct_size = sizes[i];
        claims.cleared = 77;
        EXPECT(signoff_engine_verify(engine, "", 0, NULL, NULL, 0, &claims, &error), SIGNOFF_ERR_STRUCT_SIZE);
        CHECK(claims.struct_size == sizes[i] && claims.cleared == 77);
        signoff_times times = at(NOW_MS);
        times.struct_size = sizes[i];
        EXPECT(verdict(engine, "", &times), SIGNOFF_ERR_STRUCT_SIZE);
        signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
        revocation.struct_size = sizes[i];
        EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_STRUCT_SIZE);
        /* An error of another size is not written to, and the call does nothing. */
        error.struct_size = sizes[i];
        error.message[0] = '?';
        EXPECT(signoff_engine_verify(engine, "", 0, NULL, NULL, 0, NULL, &error), SIGNOFF_ERR_STRUCT_SIZE);
        CHECK(error.message[0] == '?');
    }
    signoff_engine_free(engine);
    signoff_key_set_free(keys);
}

static void options_that_do_not_exist_or_do_not_fit(void)
{
    signoff_engine *engine = memory_engine(), *made = NULL;
    signoff_key_set *keys = some_keys(), *made_keys = NULL;
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_log *log = NULL;
    for (uint32_t algorithm = 0; algorithm < 6; algorithm++) {
        signoff_status expected = algorithm >= 1 && algorithm <= 3 ? SIGNOFF_OK : SIGNOFF_ERR_OPTION;
        EXPECT(signoff_key_set_from_secret(algorithm, SECRET, sizeof SECRET - 1, 0, &made_keys, &error), expected);
        signoff_key_set_free(made_keys);
    }
    EXPECT(signoff_key_set_from_secret(1, SECRET, sizeof SECRET - 1, 2, &made_keys, &error), SIGNOFF_ERR_OPTION);

    signoff_str names[2] = { SIGNOFF_STR_INIT, { "\xff", 1 } };
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    policy.flags = 1u << 31;
    EXPECT(signoff_engine_new(keys, &policy, &made, &error), SIGNOFF_ERR_OPTION);
    policy.flags = 0;
    policy.leeway_ms = 300001;
    EXPECT(signoff_engine_new(keys, &policy, &made, &error), SIGNOFF_POLICY_INVALID);
    policy.leeway_ms = UINT64_MAX;
    EXPECT(signoff_engine_new(keys, &policy, &made, &error), SIGNOFF_POLICY_INVALID);
    policy.leeway_ms = 0;
    policy.issuers = names;
    policy.issuers_len = 1;
    EXPECT(signoff_engine_new(keys, &policy, &made, &error), SIGNOFF_POLICY_INVALID);
    policy.issuers = &names[1];
    EXPECT(signoff_engine_new(keys, &policy, &made, &error), SIGNOFF_ERR_UTF8);
    CHECK(strcmp(error.message, "policy->issuers is not UTF-8 at byte 0") == 0);
    policy.issuers = NULL;
    policy.issuers_len = 0;
    policy.subject.data = "";
    EXPECT(signoff_engine_new(keys, &policy, &made, &error), SIGNOFF_POLICY_INVALID);

    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    EXPECT(signoff_log_new(&options, &log, &error), SIGNOFF_ERR_OPTION);
    options.kind = SIGNOFF_LOG_SQLITE;
    EXPECT(signoff_log_new(&options, &log, &error), SIGNOFF_ERR_NULL);
    options.path.data = "";
    EXPECT(signoff_log_new(&options, &log, &error), SIGNOFF_ERR_LENGTH);
    options.kind = SIGNOFF_LOG_MEMORY;
    EXPECT(signoff_log_new(&options, &log, &error), SIGNOFF_ERR_OPTION);
    options.path.data = NULL;
    options.on_unknown = 3;
    EXPECT(signoff_log_new(&options, &log, &error), SIGNOFF_ERR_OPTION);
    options.on_unknown = SIGNOFF_ON_UNKNOWN_ACCEPT_YOUNGER;
    EXPECT(signoff_log_new(&options, &log, &error), SIGNOFF_ERR_OPTION);
    options.on_unknown = SIGNOFF_ON_UNKNOWN_REJECT;
    options.accept_younger_ms = 1;
    EXPECT(signoff_log_new(&options, &log, &error), SIGNOFF_ERR_OPTION);
    options.accept_younger_ms = 0;
    options.flags = 32;
    EXPECT(signoff_log_new(&options, &log, &error), SIGNOFF_ERR_OPTION);

    signoff_times times = at(0);
    EXPECT(verdict(engine, "a.b.c", &times), SIGNOFF_ERR_TIME);
    times.unix_ms = -1;
    EXPECT(verdict(engine, "a.b.c", &times), SIGNOFF_ERR_TIME);
    times.unix_ms = NOW_MS;
    times.reserved = 1;
    EXPECT(verdict(engine, "a.b.c", &times), SIGNOFF_ERR_OPTION);

    signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
    for (uint32_t target = 0; target < 10; target++) {
        if (target == SIGNOFF_REVOKE_EVERYTHING) continue;
        signoff_status expected = target == 0 || target > 8 ? SIGNOFF_ERR_OPTION : SIGNOFF_ERR_NULL;
        revocation.target = target;
        EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), expected);
    }
    /* An unset variable logs out neither nobody nor everybody. */
    revocation.value.data = "";
    revocation.target = SIGNOFF_REVOKE_SUBJECT;
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_REVOCATION_INVALID);
    revocation.target = SIGNOFF_REVOKE_EVERYTHING;
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_OPTION);
    revocation.target = SIGNOFF_REVOKE_TOKEN;
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_TOKEN_PARTS);
    revocation.target = SIGNOFF_REVOKE_SESSION;
    revocation.value = SIGNOFF_STR("\xc3\x28");
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_UTF8);
    revocation.value = SIGNOFF_STR("s");
    revocation.issued_before_ms = NOW_MS;
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_REVOCATION_INVALID);
    revocation.issued_before_ms = -1;
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_TIME);
    revocation.issued_before_ms = 0;
    revocation.issuer_kind = SIGNOFF_ISSUER_NAMED;
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_NULL);
    revocation.issuer_kind = SIGNOFF_ISSUER_ABSENT;
    revocation.issuer = SIGNOFF_STR("i");
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_OPTION);

    signoff_new_token new_token = SIGNOFF_NEW_TOKEN_INIT;
    signoff_signed made_token = SIGNOFF_SIGNED_INIT;
    char buffer[1024];
    new_token.claims = SIGNOFF_STR("{}");
    EXPECT(signoff_engine_sign(engine, &new_token, NULL, buffer, sizeof buffer, &made_token, &error), SIGNOFF_EXPIRY_UNSTATED);
    new_token.expires_in_ms = 1000;
    new_token.flags = SIGNOFF_SIGN_INSECURE_NEVER_EXPIRES;
    EXPECT(signoff_engine_sign(engine, &new_token, NULL, buffer, sizeof buffer, &made_token, &error), SIGNOFF_ERR_OPTION);
    new_token.flags = 0;
    new_token.key_id = SIGNOFF_STR("unknown");
    EXPECT(signoff_engine_sign(engine, &new_token, NULL, buffer, sizeof buffer, &made_token, &error),
           SIGNOFF_SIGNING_KEY_MISSING);
    new_token.key_id.data = NULL;
    new_token.key_id.len = 0;
    EXPECT(signoff_engine_sign(engine, &new_token, NULL, buffer, 20, &made_token, &error), SIGNOFF_ERR_BUFFER_TOO_SMALL);
    CHECK(error.needed > 100 && made_token.token.data == NULL);
    EXPECT(signoff_engine_sign(engine, &new_token, NULL, buffer, error.needed, &made_token, &error), SIGNOFF_OK);
    EXPECT(signoff_engine_compact(engine, 2, NULL, NULL, &error), SIGNOFF_ERR_OPTION);

    /* Without a log nothing can be logged out, and nothing says that it was. */
    signoff_policy plain = SIGNOFF_POLICY_INIT;
    signoff_engine *without = engine_with(&plain, NULL);
    signoff_revocation fine = SIGNOFF_REVOCATION_INIT;
    signoff_revoking *revoking = NULL;
    fine.target = SIGNOFF_REVOKE_JTI;
    fine.value = SIGNOFF_STR("x");
    EXPECT(signoff_engine_revoke(without, &fine, NULL, NULL, &error), SIGNOFF_NO_LOG);
    EXPECT(signoff_engine_start_revoke(without, &fine, NULL, &revoking, &error), SIGNOFF_NO_LOG);
    CHECK(revoking == NULL);
    EXPECT(signoff_engine_refresh(without, NULL, &error), SIGNOFF_NO_LOG);
    signoff_engine_free(without);
    signoff_engine_free(engine);
    signoff_key_set_free(keys);
}

/* A generator with one state, so that a run can be told again. */
static uint64_t state = 0x9e3779b97f4a7c15u;
static uint32_t roll(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % below;
}

/* Any call, in any order, on handles that live, are NULL, or were freed and set to NULL. */
/* An error of another size is the caller's slip too, and leaves no answer of an earlier call in the outputs. */
static void an_error_of_another_size_clears_what_the_call_would_have_filled(void)
{
    signoff_engine *engine = memory_engine(), *made = (signoff_engine *)&made;
    signoff_key_set *keys = (signoff_key_set *)&keys;
    signoff_claims claims = SIGNOFF_CLAIMS_INIT, none = SIGNOFF_CLAIMS_INIT;
    signoff_error wrong = SIGNOFF_ERROR_INIT;
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_status statuses[2] = { SIGNOFF_OK, SIGNOFF_OK };
    char texts[512], *token = sign(engine, "{\"sub\":\"u\"}", NULL);
    size_t len = 7;
    signoff_str tokens[2];
    tokens[0] = tokens[1] = signoff_str_of(token);
    wrong.struct_size = 0;

    EXPECT(signoff_engine_verify(engine, token, strlen(token), NULL, texts, sizeof texts, &claims, NULL), SIGNOFF_OK);
    CHECK(is_text(claims.subject, "u"));
    EXPECT(signoff_engine_verify(engine, token, strlen(token), NULL, texts, sizeof texts, &claims, &wrong),
           SIGNOFF_ERR_STRUCT_SIZE);
    CHECK(memcmp(&claims, &none, sizeof claims) == 0);
    EXPECT(signoff_engine_verify_batch(engine, tokens, 2, NULL, statuses, &wrong), SIGNOFF_ERR_STRUCT_SIZE);
    CHECK(statuses[0] == SIGNOFF_ERR_NOT_VERIFIED && statuses[1] == SIGNOFF_ERR_NOT_VERIFIED);
    EXPECT(signoff_engine_new(keys, &policy, &made, &wrong), SIGNOFF_ERR_STRUCT_SIZE);
    CHECK(made == NULL);
    EXPECT(signoff_key_set_from_secret(SIGNOFF_ALGORITHM_HS256, SECRET, sizeof SECRET - 1, 0, &keys, &wrong),
           SIGNOFF_ERR_STRUCT_SIZE);
    CHECK(keys == NULL);
    EXPECT(signoff_engine_copy_prometheus(engine, texts, sizeof texts, &len, &wrong), SIGNOFF_ERR_STRUCT_SIZE);
    CHECK(len == 0);
    len = 7;
    EXPECT(signoff_engine_copy_prometheus(NULL, texts, sizeof texts, &len, NULL), SIGNOFF_ERR_NULL);
    CHECK(len == 0);
    free(token);
    signoff_engine_free(engine);
}

/* What an unset variable or a forgotten length leaves behind would else loosen a check without a word. */
static void options_that_are_given_and_empty(void)
{
    signoff_key_set *keys = some_keys(), *more = NULL;
    signoff_engine *engine = NULL, *signer = memory_engine();
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_str name = SIGNOFF_STR("https://id.example");
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_key key = SIGNOFF_KEY_INIT;
    const signoff_key *all = &key;
    signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
    signoff_new_token new_token = SIGNOFF_NEW_TOKEN_INIT;
    signoff_signed made = SIGNOFF_SIGNED_INIT;
    char texts[512];

    policy.issuers = &name;
    EXPECT(signoff_engine_new(keys, &policy, &engine, &error), SIGNOFF_ERR_LENGTH);
    CHECK(strstr(error.message, "policy->issuers") != NULL);
    policy.issuers_len = 1;
    EXPECT(signoff_engine_new(keys, &policy, &engine, &error), SIGNOFF_OK);
    signoff_engine_free(engine);
    policy.audiences = &name;
    EXPECT(signoff_engine_new(keys, &policy, &engine, &error), SIGNOFF_ERR_LENGTH);
    policy.audiences_len = 1;
    policy.required_claims = &name;
    EXPECT(signoff_engine_new(keys, &policy, &engine, &error), SIGNOFF_ERR_LENGTH);

    key.algorithm = SIGNOFF_ALGORITHM_HS256;
    key.secret = SECRET;
    key.secret_len = sizeof SECRET - 1;
    key.issuers = &name;
    EXPECT(signoff_key_set_new(&all, 1, &more, &error), SIGNOFF_ERR_LENGTH);
    key.issuers = NULL;
    key.key_id = SIGNOFF_STR("");
    EXPECT(signoff_key_set_new(&all, 1, &more, &error), SIGNOFF_ERR_LENGTH);

    revocation.target = SIGNOFF_REVOKE_SUBJECT;
    revocation.value = SIGNOFF_STR("u");
    revocation.keep = &name;
    EXPECT(signoff_engine_revoke(signer, &revocation, NULL, NULL, &error), SIGNOFF_ERR_LENGTH);
    revocation.keep = NULL;
    revocation.reason = SIGNOFF_STR("");
    EXPECT(signoff_engine_revoke(signer, &revocation, NULL, NULL, &error), SIGNOFF_ERR_LENGTH);
    new_token.claims = SIGNOFF_STR("{}");
    new_token.expires_in_ms = 1000;
    new_token.token_type = SIGNOFF_STR("");
    EXPECT(signoff_engine_sign(signer, &new_token, NULL, texts, sizeof texts, &made, &error), SIGNOFF_ERR_LENGTH);
    signoff_engine_free(signer);
    signoff_key_set_free(keys);
}

/* A cut-off, an end or a clock in seconds would log out nobody, and accept what has expired. */
static void seconds_where_milliseconds_are_meant(void)
{
    signoff_engine *engine = memory_engine();
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
    signoff_times seconds = at(NOW_MS / 1000);

    revocation.target = SIGNOFF_REVOKE_SUBJECT;
    revocation.value = SIGNOFF_STR("u");
    revocation.issued_before_ms = NOW_MS / 1000;
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_TIME);
    CHECK(strstr(error.message, "seconds") != NULL);
    revocation.issued_before_ms = -1000;
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_TIME);
    CHECK(strstr(error.message, "-1000") != NULL);
    revocation.issued_before_ms = NOW_MS;
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_OK);
    revocation.target = SIGNOFF_REVOKE_JTI;
    revocation.issued_before_ms = 0;
    revocation.keep_until_ms = NOW_MS / 1000;
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_TIME);
    EXPECT(verdict(engine, "a.b.c", &seconds), SIGNOFF_ERR_TIME);
    signoff_engine_free(engine);
}

/* What a strict engine refuses, in the words of this interface; and the option that lets it pass. */
static void strict_by_default(void)
{
    static const struct { const char *claims; signoff_status refused; const char *option; uint32_t flag; } cases[] = {
        { "{\"aud\":\"api\"}", SIGNOFF_CLAIM_AUDIENCE, "`SIGNOFF_POLICY_INSECURE_ANY_AUDIENCE`", SIGNOFF_POLICY_INSECURE_ANY_AUDIENCE },
        { "{\"cnf\":{}}", SIGNOFF_CLAIM_BOUND, "`SIGNOFF_POLICY_INSECURE_BEARER_OF_BOUND_TOKEN`", SIGNOFF_POLICY_INSECURE_BEARER_OF_BOUND_TOKEN },
        { "{\"sub\":42}", SIGNOFF_CLAIM_MALFORMED, "`SIGNOFF_POLICY_NUMERIC_IDS_AS_TEXT`", SIGNOFF_POLICY_NUMERIC_IDS_AS_TEXT },
    };
    signoff_policy strict = SIGNOFF_POLICY_INIT, lenient = SIGNOFF_POLICY_INIT;
    lenient.flags = SIGNOFF_POLICY_INSECURE_ANY_AUDIENCE | SIGNOFF_POLICY_INSECURE_BEARER_OF_BOUND_TOKEN
        | SIGNOFF_POLICY_NUMERIC_IDS_AS_TEXT;
    signoff_engine *engine = memory_engine(), *signer = engine_with(&lenient, NULL);
    signoff_times now = at(NOW_MS);
    signoff_error error = SIGNOFF_ERROR_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *token = sign(signer, cases[i].claims, &now);
        signoff_policy allowing = SIGNOFF_POLICY_INIT;
        allowing.flags = cases[i].flag;
        signoff_engine *let_in = engine_with(&allowing, NULL);
        EXPECT(signoff_engine_verify(engine, token, strlen(token), &now, NULL, 0, NULL, &error), cases[i].refused);
        CHECK(strstr(error.message, cases[i].option) != NULL);
        EXPECT(verdict(let_in, token, &now), SIGNOFF_OK);
        signoff_engine_free(let_in);
        free(token);
    }
    /* A whole token is no id, no session and no subject. */
    char *token = sign(signer, "{}", &now);
    const uint32_t targets[] = { SIGNOFF_REVOKE_JTI, SIGNOFF_REVOKE_SESSION, SIGNOFF_REVOKE_SUBJECT };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
        revocation.target = targets[i];
        revocation.value = signoff_str_of(token);
        EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_REVOCATION_INVALID);
        CHECK(strstr(error.message, "whole token") != NULL);
    }
    free(token);

    /* Claims that must have a value: each kind, and what is none. */
    signoff_claim_value values[3];
    memset(values, 0, sizeof values);
    values[0].name = SIGNOFF_STR("token_use");
    values[0].kind = SIGNOFF_VALUE_STRING;
    values[0].text = SIGNOFF_STR("access");
    values[1].name = SIGNOFF_STR("level");
    values[1].kind = SIGNOFF_VALUE_NUMBER;
    values[1].number = 2;
    values[2].name = SIGNOFF_STR("mfa");
    values[2].kind = SIGNOFF_VALUE_BOOLEAN;
    values[2].boolean = 1;
    strict.claim_values = values;
    strict.claim_values_len = 3;
    signoff_engine *with_values = engine_with(&strict, NULL);
    token = sign(with_values, "{}", &now);
    EXPECT(verdict(with_values, token, &now), SIGNOFF_OK);
    free(token);
    token = sign(signer, "{\"token_use\":\"id\",\"level\":2,\"mfa\":true}", &now);
    EXPECT(verdict(with_values, token, &now), SIGNOFF_CLAIM_DIFFERS);
    free(token);
    signoff_engine_free(with_values);

    signoff_key_set *keys = some_keys();
    signoff_engine *none = NULL;
    values[2].boolean = 2;
    EXPECT(signoff_engine_new(keys, &strict, &none, &error), SIGNOFF_ERR_OPTION);
    values[2].boolean = 1;
    values[2].kind = SIGNOFF_VALUE_NULL;
    EXPECT(signoff_engine_new(keys, &strict, &none, &error), SIGNOFF_ERR_OPTION);
    values[2].kind = SIGNOFF_VALUE_NUMBER;
    values[2].number = 9007199254740992.0;
    EXPECT(signoff_engine_new(keys, &strict, &none, &error), SIGNOFF_POLICY_INVALID);
    CHECK(strstr(error.message, "`claim_values`") != NULL);
    values[2].name = SIGNOFF_STR("");
    EXPECT(signoff_engine_new(keys, &strict, &none, &error), SIGNOFF_ERR_LENGTH);
    strict.claim_values_len = 0;
    EXPECT(signoff_engine_new(keys, &strict, &none, &error), SIGNOFF_ERR_LENGTH);

    /* The policy of an earlier header ends before what came later, whatever lies behind it. */
    strict.claim_values_len = 3;
    strict.struct_size = (uint32_t)offsetof(signoff_policy, other_token_types);
    EXPECT(signoff_engine_new(keys, &strict, &none, &error), SIGNOFF_OK);
    signoff_engine_free(none);
    strict.struct_size += 8;
    EXPECT(signoff_engine_new(keys, &strict, &none, &error), SIGNOFF_ERR_STRUCT_SIZE);
    signoff_key_set_free(keys);
    signoff_engine_free(engine);
    signoff_engine_free(signer);
}

static void random_calls(unsigned long calls)
{
    static const char *const texts[] = { "", "a.b.c", "u", "\xff", "{}", "{\"sub\":\"u\"}", "{\"keys\":[]}", "jti:x", "{\"exp\":1}" };
    enum { TEXTS = sizeof texts / sizeof *texts };
    signoff_key_set *keys = NULL;
    signoff_log *log = NULL;
    signoff_engine *engine = NULL, *second;
    signoff_accepted *accepted = NULL;
    signoff_revoking *revoking = NULL;
    signoff_listing *listing = NULL;
    char token[2048] = "a.b.c", buffer[2048];
    size_t token_len = 5, len, ok = 0;
    for (unsigned long i = 0; i < calls; i++) {
        signoff_error error = SIGNOFF_ERROR_INIT, *err = roll(4) ? &error : NULL;
        signoff_times now = at(roll(50) ? NOW_MS : 0), *times = roll(2) ? &now : NULL;
        signoff_policy policy = SIGNOFF_POLICY_INIT;
        signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
        signoff_claims claims = SIGNOFF_CLAIMS_INIT;
        signoff_new_token new_token = SIGNOFF_NEW_TOKEN_INIT;
        signoff_signed made = SIGNOFF_SIGNED_INIT;
        signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
        signoff_revoked revoked = SIGNOFF_REVOKED_INIT;
        signoff_record record = SIGNOFF_RECORD_INIT;
        signoff_health health = SIGNOFF_HEALTH_INIT;
        signoff_stats stats = SIGNOFF_STATS_INIT;
        signoff_str text = signoff_str_of(texts[roll(TEXTS)]), pair[2];
        signoff_status status = SIGNOFF_OK, statuses[2];
        size_t size = roll(3) ? sizeof buffer : roll(200);
        uint32_t kind;
        uint64_t count;
        pair[0] = text;
        pair[1].data = token;
        pair[1].len = token_len;
        switch (roll(26)) {
        case 0:
            if (keys != NULL) break;
            status = signoff_key_set_from_secret(roll(5), SECRET, roll(65), roll(3), &keys, err);
            break;
        case 1:
            if (roll(8) == 0) { signoff_key_set_free(keys); keys = NULL; }
            break;
        case 2:
            if (log != NULL) break;
            options.kind = roll(2) + (uint32_t)(roll(20) == 0);
            options.flags = roll(10) ? SIGNOFF_LOG_NO_THREADS : roll(32) & ~1u;
            options.on_unknown = roll(10) ? 0 : roll(4);
            status = signoff_log_new(&options, &log, err);
            break;
        case 3:
            if (roll(8) == 0) { signoff_log_free(log); log = NULL; }
            break;
        case 4:
            if (engine != NULL) break;
            policy.flags = roll(5);
            policy.leeway_ms = roll(10) ? 0 : roll(400000);
            status = roll(4) ? signoff_engine_open(keys, &policy, log, &engine, err) : signoff_engine_new(keys, &policy, &engine, err);
            break;
        case 5:
            if (roll(20) == 0) { signoff_engine_free(engine); engine = NULL; }
            break;
        case 6:
            if (roll(2)) { status = signoff_engine_replace_keys(engine, keys, err); break; }
            status = signoff_engine_on_same_log(engine, keys, &policy, &second, err);
            signoff_engine_free(second);
            break;
        case 7: case 8:
            new_token.claims = roll(3) ? signoff_str_of("{\"sub\":\"u\",\"jti\":\"x\"}") : text;
            new_token.expires_in_ms = roll(4) ? 3600000 : 0;
            status = signoff_engine_sign(engine, &new_token, times, buffer, size, &made, err);
            if (status == SIGNOFF_OK) { memcpy(token, made.token.data, made.token.len); token_len = made.token.len; }
            break;
        case 9: case 10:
            status = signoff_engine_verify(engine, token, token_len, times, buffer, size, roll(3) ? &claims : NULL, err);
            if (status == SIGNOFF_OK && claims.cleared != 0)
                status = signoff_claims_copy_value(&claims, "sub", roll(4), &kind, token + 1024, roll(64), &len, err);
            break;
        case 11:
            if (roll(2)) { status = signoff_engine_insecure_screen(engine, token, token_len, times, roll(2) ? &kind : NULL, err); break; }
            status = signoff_engine_verify(engine, text.data, text.len, times, buffer, size, &claims, err);
            break;
        case 12: status = signoff_engine_verify_batch(engine, pair, roll(3), times, statuses, err); break;
        case 13: status = signoff_engine_authenticate(engine, token, token_len, buffer, size, &text, err); break;
        case 14:
            if (accepted == NULL) status = signoff_engine_accept(engine, token, token_len, times, &accepted, err);
            break;
        case 15: status = signoff_accepted_claims(accepted, &claims, err); break;
        case 16:
            if (roll(4) == 0) { signoff_accepted_free(accepted); accepted = NULL; }
            status = signoff_accepted_copy_token_id(accepted, buffer, size, &len, err);
            break;
        case 17: status = signoff_engine_is_revoked(engine, accepted, &statuses[0], err); break;
        case 18: case 19:
            revocation.target = roll(10);
            revocation.accepted = revocation.target == SIGNOFF_REVOKE_ACCEPTED ? accepted : NULL;
            revocation.value = roll(2) ? text : pair[1];
            revocation.issuer_kind = roll(10) ? 0 : roll(4);
            revocation.keep = pair;
            revocation.keep_len = roll(6) ? 0 : 1;
            if (revocation.target == SIGNOFF_REVOKE_EVERYTHING || revocation.accepted) revocation.value.data = NULL, revocation.value.len = 0;
            if (roll(3)) status = signoff_engine_revoke(engine, &revocation, times, roll(2) ? &revoked : NULL, err);
            else if (revoking == NULL) status = signoff_engine_start_revoke(engine, &revocation, NULL, &revoking, err);
            break;
        case 20:
            status = signoff_revoking_wait(revoking, 0, &revoked, err);
            if (roll(3) == 0) { signoff_revoking_free(revoking); revoking = NULL; }
            break;
        case 21: status = roll(3) ? signoff_engine_refresh(engine, times, err) : signoff_engine_compact(engine, roll(3), times, &count, err); break;
        case 22:
            if (listing == NULL) status = signoff_listing_new(engine, &listing, err);
            break;
        case 23:
            status = signoff_listing_next(listing, &record, err);
            if (roll(3) == 0) { signoff_listing_free(listing); listing = NULL; }
            break;
        case 24: status = signoff_engine_health(engine, &health, err); break;
        default: status = roll(2) ? signoff_engine_stats(engine, &stats, err) : signoff_engine_copy_prometheus(engine, buffer, size, &len, err);
        }
        CHECK(strcmp(signoff_status_name(status), "unknown-status") != 0 && status != SIGNOFF_ERR_PANIC);
        CHECK(err == NULL || error.status == status || error.status == SIGNOFF_OK);
        ok += status == SIGNOFF_OK;
    }
    CHECK(ok > calls / 4 && ok < calls);
    signoff_listing_free(listing);
    signoff_revoking_free(revoking);
    signoff_accepted_free(accepted);
    signoff_engine_free(engine);
    signoff_log_free(log);
    signoff_key_set_free(keys);
}

int main(int argc, char **argv)
{
    null_everywhere();
    lengths_that_are_impossible();
    structs_of_another_size();
    options_that_do_not_exist_or_do_not_fit();
    an_error_of_another_size_clears_what_the_call_would_have_filled();
    options_that_are_given_and_empty();
    seconds_where_milliseconds_are_meant();
    strict_by_default();
    random_calls(argc > 1 ? strtoul(argv[1], NULL, 10) : 20000);
    puts("bad_input: ok");
    return 0;
}
