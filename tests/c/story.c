/* What each function does when it is called as the header says. Argument: a file for a log. */
#include "check.h"

static void versions_and_statuses(void)
{
    CHECK(strcmp(signoff_version(), SIGNOFF_VERSION) == 0);
    CHECK(signoff_version_number() == SIGNOFF_VERSION_NUMBER);
    CHECK(SIGNOFF_VERSION_NUMBER
          == SIGNOFF_VERSION_MAJOR * 1000000 + SIGNOFF_VERSION_MINOR * 1000 + SIGNOFF_VERSION_PATCH);
    CHECK(strcmp(signoff_status_name(SIGNOFF_CLAIM_EXPIRED), "claim-expired") == 0);
    CHECK(strcmp(signoff_status_sentence(SIGNOFF_CLAIM_EXPIRED), "The token has expired (`exp`).") == 0);
    CHECK(signoff_status_http(SIGNOFF_OK) == 200 && signoff_status_http(SIGNOFF_CLAIM_EXPIRED) == 401);
    CHECK(signoff_status_http(SIGNOFF_REVOCATIONS_STALE) == 503 && signoff_status_http(-1) == 500);
    CHECK(strcmp(signoff_status_name(123456), "unknown-status") == 0 && signoff_status_sentence(123456)[0] != 0);
}

static void keys_are_loaded_in_three_ways(void)
{
    static const char jwks[] = "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"},{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\","
                               "\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]}";
    signoff_key_set *keys = NULL;
    EXPECT(signoff_key_set_from_jwks(jwks, sizeof jwks - 1, 0, &keys, NULL), SIGNOFF_OK);
    CHECK(signoff_key_set_len(keys) == 1 && signoff_key_set_skipped(keys) == 1);
    signoff_str skipped = signoff_key_set_skipped_key(keys, 0);
    CHECK(skipped.len > 0 && memchr(skipped.data, ':', skipped.len) != NULL && signoff_key_set_skipped_key(keys, 1).data == NULL);
    signoff_key_set_free(keys);

    signoff_error error = SIGNOFF_ERROR_INIT;
    EXPECT(signoff_key_set_from_secret(SIGNOFF_ALGORITHM_HS256, "short", 5, 0, &keys, &error), SIGNOFF_KEY_TOO_SHORT);
    CHECK(keys == NULL && error.status == SIGNOFF_KEY_TOO_SHORT && strstr(error.message, "5 bytes long") != NULL);
    EXPECT(signoff_key_set_from_secret(SIGNOFF_ALGORITHM_HS256, "short", 5, SIGNOFF_KEY_INSECURE_ALLOW_SHORT, &keys,
                                       &error), SIGNOFF_OK);
    CHECK(error.status == SIGNOFF_OK && error.message[0] == 0);
    signoff_key_set_free(keys);

    signoff_str issuer = SIGNOFF_STR("https://a.example");
    signoff_key one = SIGNOFF_KEY_INIT, two = SIGNOFF_KEY_INIT;
    const signoff_key *both[2];
    both[0] = &one;
    both[1] = &two;
    one.algorithm = SIGNOFF_ALGORITHM_HS512;
    one.secret = SECRET;
    one.secret_len = sizeof SECRET - 1;
    one.key_id = SIGNOFF_STR("new");
    one.issuers = &issuer;
    one.issuers_len = 1;
    two.jwk = SIGNOFF_STR("{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}");
    EXPECT(signoff_key_set_new(both, 2, &keys, &error), SIGNOFF_OK);
    CHECK(signoff_key_set_len(keys) == 2);
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_engine *engine = NULL;
    EXPECT(signoff_engine_new(keys, &policy, &engine, &error), SIGNOFF_OK);
    char *ours = sign(engine, "{\"iss\":\"https://a.example\"}", NULL);
    EXPECT(verdict(engine, ours, NULL), SIGNOFF_OK);

    /* Another key set, and what the first one signed is a stranger's. */
    signoff_key_set *others = some_keys();
    EXPECT(signoff_engine_replace_keys(engine, others, &error), SIGNOFF_OK);
    EXPECT(verdict(engine, ours, NULL), SIGNOFF_KEY_NOT_FOUND);
    free(ours);
    signoff_key_set_free(others);
    signoff_engine_free(engine);
    signoff_key_set_free(keys);
}

static void claims_are_views_into_the_buffer(void)
{
    signoff_str issuer = SIGNOFF_STR("https://id.example"), audience = SIGNOFF_STR("api"), required = SIGNOFF_STR("role");
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    policy.issuers = &issuer;
    policy.issuers_len = 1;
    policy.audiences = &audience;
    policy.audiences_len = 1;
    policy.required_claims = &required;
    policy.required_claims_len = 1;
    signoff_engine *engine = engine_with(&policy, NULL);
    signoff_times now = at(NOW_MS);
    char *token = sign(engine,
                       "{\"iss\":\"https://id.example\",\"aud\":[\"web\",\"api\"],\"sub\":\"J\\u00fcrgen\",\"jti\":\"t-1\","
                       "\"sid\":\"\\u0073-9\",\"role\":\"a\\\"b\",\"n\":1e3,\"no\":null,\"yes\":true,\"list\":[1, 2],\"deep\":{\"x\":0}}",
                       &now);
    size_t len = strlen(token);
    char *buffer = (char *)malloc(SIGNOFF_BUFFER_BYTES(len));
    signoff_claims claims = SIGNOFF_CLAIMS_INIT;
    signoff_error error = SIGNOFF_ERROR_INIT;
    EXPECT(signoff_engine_verify(engine, token, len, &now, buffer, SIGNOFF_BUFFER_BYTES(len), &claims, &error), SIGNOFF_OK);
    CHECK(is_text(claims.issuer, "https://id.example") && is_text(claims.subject, "J\xc3\xbcrgen"));
    CHECK(is_text(claims.jti, "t-1") && is_text(claims.session, "s-9"));
    CHECK(claims.cleared == SIGNOFF_CLEARED_NO_LOG);
    CHECK(claims.issued_at_ms == NOW_MS && claims.expires_at_ms == NOW_MS + 3600000);
    CHECK(claims.not_before_ms == SIGNOFF_TIME_ABSENT);
    CHECK(claims.payload.data == buffer && claims.payload.data[0] == '{');
    CHECK(claims.issuer.data > buffer && claims.issuer.data < buffer + claims.payload.len);

    /* Any claim, and any audience. */
    char text[64];
    size_t text_len;
    uint32_t kind;
    struct { const char *name, *text; uint32_t kind; } cases[] = {
        { "role", "a\"b", SIGNOFF_VALUE_STRING }, { "n", "1e3", SIGNOFF_VALUE_NUMBER }, { "no", "null", SIGNOFF_VALUE_NULL },
        { "yes", "true", SIGNOFF_VALUE_BOOLEAN }, { "list", "[1, 2]", SIGNOFF_VALUE_ARRAY },
        { "deep", "{\"x\":0}", SIGNOFF_VALUE_OBJECT }, { "none", "", SIGNOFF_VALUE_ABSENT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT(signoff_claims_copy_value(&claims, cases[i].name, strlen(cases[i].name), &kind, text, sizeof text, &text_len,
                                         &error), SIGNOFF_OK);
        CHECK(kind == cases[i].kind && text_len == strlen(cases[i].text) && memcmp(text, cases[i].text, text_len) == 0);
    }
    EXPECT(signoff_claims_copy_audience(&claims, 1, &kind, text, sizeof text, &text_len, &error), SIGNOFF_OK);
    CHECK(kind == SIGNOFF_VALUE_STRING && text_len == 3 && memcmp(text, "api", 3) == 0);
    EXPECT(signoff_claims_copy_audience(&claims, 2, &kind, text, sizeof text, &text_len, &error), SIGNOFF_OK);
    CHECK(kind == SIGNOFF_VALUE_ABSENT && text_len == 0);

    /* One byte too few, and exactly enough. */
    size_t payload_len = claims.payload.len, needed = payload_len + claims.subject.len + claims.session.len;
    EXPECT(signoff_engine_verify(engine, token, len, &now, buffer, needed, &claims, &error), SIGNOFF_OK);
    EXPECT(signoff_engine_verify(engine, token, len, &now, buffer, needed - 1, &claims, &error),
           SIGNOFF_ERR_BUFFER_TOO_SMALL);
    CHECK(error.needed == needed && claims.payload.data == NULL && claims.cleared == SIGNOFF_CLEARED_NOTHING);
    EXPECT(signoff_claims_copy_value(&claims, "sub", 3, &kind, text, sizeof text, &text_len, &error), SIGNOFF_ERR_OPTION);

    /* The signature alone, of a token that has expired. */
    signoff_times late = at(NOW_MS + 7200000);
    EXPECT(verdict(engine, token, &late), SIGNOFF_CLAIM_EXPIRED);
    signoff_str payload = SIGNOFF_STR_INIT;
    EXPECT(signoff_engine_authenticate(engine, token, len, buffer, needed, &payload, &error), SIGNOFF_OK);
    CHECK(payload.data == buffer && payload.len == payload_len);
    free(buffer);
    free(token);
    signoff_engine_free(engine);
}

static void every_kind_of_revocation(const char *path)
{
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    options.kind = SIGNOFF_LOG_SQLITE;
    options.path = signoff_str_of(path);
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_key_set *keys = some_keys();
    signoff_log *log = NULL;
    signoff_engine *engine = NULL;

    /* A file that is not there is no empty list. */
    EXPECT(signoff_log_new(&options, &log, &error), SIGNOFF_OK);
    EXPECT(signoff_engine_open(keys, &policy, log, &engine, &error), SIGNOFF_LOG_MISSING);
    CHECK(engine == NULL && strstr(error.message, path) != NULL);
    signoff_log_free(log);
    signoff_key_set_free(keys);
    options.flags = SIGNOFF_LOG_CREATE_IF_MISSING;
    options.longest_lifetime_ms = UINT64_C(7) * 24 * 3600 * 1000;
    engine = engine_with(&policy, &options);

    signoff_health health = SIGNOFF_HEALTH_INIT;
    EXPECT(signoff_engine_health(engine, &health, &error), SIGNOFF_OK);
    CHECK(health.ready == 1 && health.origin == SIGNOFF_ORIGIN_CREATED && health.fault == SIGNOFF_OK);

    char *token = sign(engine, "{\"sub\":\"u\",\"sid\":\"s\",\"jti\":\"a\"}", NULL);
    char *other = sign(engine, "{\"sub\":\"u\",\"sid\":\"s2\",\"jti\":\"b\"}", NULL);
    char *kept = sign(engine, "{\"sub\":\"u\",\"sid\":\"s3\",\"jti\":\"c\"}", NULL);
    char *nobody = sign(engine, "{\"jti\":\"d\",\"iss\":\"https://i\"}", NULL);

    signoff_accepted *accepted = NULL;
    EXPECT(signoff_engine_accept(engine, nobody, strlen(nobody), NULL, &accepted, &error), SIGNOFF_OK);
    signoff_claims claims = SIGNOFF_CLAIMS_INIT;
    EXPECT(signoff_accepted_claims(accepted, &claims, &error), SIGNOFF_OK);
    CHECK(is_text(claims.jti, "d") && claims.cleared == SIGNOFF_CLEARED_NOT_REVOKED);
    char id[80];
    size_t id_len;
    EXPECT(signoff_accepted_copy_token_id(accepted, id, sizeof id, &id_len, &error), SIGNOFF_OK);
    CHECK(id_len == 5 && memcmp(id, "jti:d", 5) == 0);
    EXPECT(signoff_accepted_copy_token_id(accepted, id, 4, &id_len, &error), SIGNOFF_ERR_BUFFER_TOO_SMALL);
    CHECK(id_len == 5 && error.needed == 5);
    signoff_status answer;
    EXPECT(signoff_engine_is_revoked(engine, accepted, &answer, &error), SIGNOFF_OK);
    EXPECT(answer, SIGNOFF_OK);

    signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
    signoff_revoked revoked = SIGNOFF_REVOKED_INIT;
    revocation.target = SIGNOFF_REVOKE_TOKEN;
    revocation.value = signoff_str_of(token);
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, &revoked, &error), SIGNOFF_OK);
    CHECK(revoked.outcome == SIGNOFF_REVOKED_RECORDED && revoked.durability == SIGNOFF_DURABILITY_FILE);
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, &revoked, &error), SIGNOFF_OK);
    CHECK(revoked.outcome == SIGNOFF_REVOKED_ALREADY_COVERED && revoked.durability == SIGNOFF_DURABILITY_NONE);
    EXPECT(verdict(engine, token, NULL), SIGNOFF_TOKEN_REVOKED);
    EXPECT(verdict(engine, other, NULL), SIGNOFF_OK);

    signoff_str keep = SIGNOFF_STR("s3");
    signoff_revocation everywhere = SIGNOFF_REVOCATION_INIT;
    everywhere.target = SIGNOFF_REVOKE_SUBJECT;
    everywhere.value = SIGNOFF_STR("u");
    everywhere.keep = &keep;
    everywhere.keep_len = 1;
    everywhere.reason = SIGNOFF_STR("password changed");
    signoff_revoking *revoking = NULL;
    EXPECT(signoff_engine_start_revoke(engine, &everywhere, NULL, &revoking, &error), SIGNOFF_OK);
    EXPECT(signoff_revoking_wait(revoking, 60000, &revoked, &error), SIGNOFF_OK);
    CHECK(revoked.outcome == SIGNOFF_REVOKED_RECORDED);
    EXPECT(signoff_revoking_wait(revoking, 0, &revoked, &error), SIGNOFF_OK);
    CHECK(revoked.outcome == SIGNOFF_REVOKED_RECORDED);
    signoff_revoking_free(revoking);
    /* Issued a moment before, which can't be told from a moment afterwards. */
    EXPECT(verdict(engine, other, NULL), SIGNOFF_TOKEN_TOO_SOON);
    EXPECT(verdict(engine, kept, NULL), SIGNOFF_OK);

    signoff_revocation session = SIGNOFF_REVOCATION_INIT;
    session.target = SIGNOFF_REVOKE_SESSION;
    session.value = SIGNOFF_STR("s3");
    session.issuer_kind = SIGNOFF_ISSUER_NAMED;
    session.issuer = SIGNOFF_STR("https://another");
    EXPECT(signoff_engine_revoke(engine, &session, NULL, NULL, &error), SIGNOFF_OK);
    EXPECT(verdict(engine, kept, NULL), SIGNOFF_OK);
    session.issuer_kind = SIGNOFF_ISSUER_ABSENT;
    session.issuer = signoff_str_of(NULL);
    EXPECT(signoff_engine_revoke(engine, &session, NULL, NULL, &error), SIGNOFF_OK);
    EXPECT(verdict(engine, kept, NULL), SIGNOFF_TOKEN_REVOKED);

    signoff_revocation by_id = SIGNOFF_REVOCATION_INIT;
    by_id.target = SIGNOFF_REVOKE_JTI;
    by_id.value = SIGNOFF_STR("never seen");
    EXPECT(signoff_engine_revoke(engine, &by_id, NULL, NULL, &error), SIGNOFF_OK);
    by_id.target = SIGNOFF_REVOKE_TOKEN_ID;
    by_id.value = SIGNOFF_STR("sha256:00");
    EXPECT(signoff_engine_revoke(engine, &by_id, NULL, NULL, &error), SIGNOFF_ERR_OPTION);
    signoff_revocation this_one = SIGNOFF_REVOCATION_INIT;
    this_one.target = SIGNOFF_REVOKE_ACCEPTED;
    this_one.accepted = accepted;
    EXPECT(signoff_engine_revoke(engine, &this_one, NULL, NULL, &error), SIGNOFF_OK);
    EXPECT(signoff_engine_is_revoked(engine, accepted, &answer, &error), SIGNOFF_OK);
    EXPECT(answer, SIGNOFF_TOKEN_REVOKED);
    signoff_revocation all = SIGNOFF_REVOCATION_INIT;
    all.target = SIGNOFF_REVOKE_EVERYTHING;
    all.issued_before_ms = claims.issued_at_ms - 60000;
    EXPECT(signoff_engine_revoke(engine, &all, NULL, NULL, &error), SIGNOFF_OK);

    /* What the log holds, in order. */
    static const uint32_t targets[] = { SIGNOFF_REVOKE_TOKEN_ID, SIGNOFF_REVOKE_SUBJECT,  SIGNOFF_REVOKE_SESSION,
                                        SIGNOFF_REVOKE_SESSION,  SIGNOFF_REVOKE_TOKEN_ID, SIGNOFF_REVOKE_TOKEN_ID,
                                        SIGNOFF_REVOKE_EVERYTHING };
    signoff_listing *listing = NULL;
    EXPECT(signoff_listing_new(engine, &listing, &error), SIGNOFF_OK);
    signoff_record record = SIGNOFF_RECORD_INIT;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        EXPECT(signoff_listing_next(listing, &record, &error), SIGNOFF_OK);
        CHECK(record.target == targets[i] && record.recorded_at_ms > NOW_MS);
        if (i == 1) {
            CHECK(is_text(record.value, "u") && is_text(record.reason, "password changed"));
            CHECK(record.keep_len == 1 && is_text(record.keep[0], "s3"));
            CHECK(record.issued_before_ms > NOW_MS && record.keep_until_ms > record.issued_before_ms);
        }
    }
    EXPECT(signoff_listing_next(listing, &record, &error), SIGNOFF_OK);
    CHECK(record.target == 0 && record.value.data == NULL);
    signoff_listing_free(listing);

    signoff_stats stats = SIGNOFF_STATS_INIT;
    EXPECT(signoff_engine_stats(engine, &stats, &error), SIGNOFF_OK);
    CHECK(stats.ready == 1 && stats.token_records == 3 && stats.session_records == 2 && stats.subject_records == 1);
    CHECK(stats.everything_records == 1 && stats.accepted == 4 && stats.verifications == 7);
    uint64_t count;
    EXPECT(signoff_engine_count(engine, SIGNOFF_TOKEN_REVOKED, &count, &error), SIGNOFF_OK);
    CHECK(count == 2);
    EXPECT(signoff_engine_count(engine, SIGNOFF_TOKEN_TOO_SOON, &count, &error), SIGNOFF_OK);
    CHECK(count == 1);
    char prometheus[8192];
    size_t prometheus_len;
    EXPECT(signoff_engine_copy_prometheus(engine, prometheus, sizeof prometheus, &prometheus_len, &error), SIGNOFF_OK);
    CHECK(prometheus_len > 1000 && memcmp(prometheus, "# HELP signoff_", 15) == 0);
    EXPECT(signoff_engine_copy_fault(engine, id, sizeof id, &id_len, &error), SIGNOFF_OK);
    CHECK(id_len == 0);
    uint64_t deleted = 9;
    EXPECT(signoff_engine_compact(engine, SIGNOFF_CLOCK_DOUBTED, NULL, &deleted, &error), SIGNOFF_OK);
    CHECK(deleted == 0);
    int64_t before;
    EXPECT(signoff_engine_insecure_reset_watermark(engine, NULL, &before, &error), SIGNOFF_OK);
    EXPECT(signoff_engine_refresh(engine, NULL, &error), SIGNOFF_OK);

    /* Another engine on the file knows it too; what was accepted outlives its engine. */
    signoff_engine_free(engine);
    options.flags = 0;
    engine = engine_with(&policy, &options);
    EXPECT(verdict(engine, token, NULL), SIGNOFF_TOKEN_REVOKED);
    EXPECT(signoff_engine_health(engine, &health, &error), SIGNOFF_OK);
    CHECK(health.origin == SIGNOFF_ORIGIN_FOUND);
    EXPECT(signoff_engine_is_revoked(engine, accepted, &answer, &error), SIGNOFF_OK);
    EXPECT(answer, SIGNOFF_TOKEN_REVOKED);
    signoff_engine_free(engine);
    EXPECT(signoff_accepted_claims(accepted, &claims, &error), SIGNOFF_OK);
    CHECK(is_text(claims.issuer, "https://i"));
    signoff_accepted_free(accepted);
    free(token);
    free(other);
    free(kept);
    free(nobody);
}

static void a_batch_says_it_of_each(void)
{
    signoff_engine *engine = memory_engine();
    char *good = sign(engine, "{\"jti\":\"x\"}", NULL), *out = sign(engine, "{\"jti\":\"y\"}", NULL);
    signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
    revocation.target = SIGNOFF_REVOKE_JTI;
    revocation.value = SIGNOFF_STR("y");
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, NULL), SIGNOFF_OK);
    signoff_str tokens[4];
    signoff_status statuses[4] = { 0, 0, 0, 0 };
    signoff_error error = SIGNOFF_ERROR_INIT;
    tokens[0] = tokens[3] = signoff_str_of(good);
    tokens[1] = signoff_str_of(out);
    tokens[2] = signoff_str_of(NULL);
    EXPECT(signoff_engine_verify_batch(engine, tokens, 4, NULL, statuses, &error), SIGNOFF_TOKEN_REVOKED);
    EXPECT(statuses[0], SIGNOFF_OK);
    EXPECT(statuses[1], SIGNOFF_TOKEN_REVOKED);
    EXPECT(statuses[2], SIGNOFF_TOKEN_PARTS);
    EXPECT(statuses[3], SIGNOFF_OK);
    EXPECT(signoff_engine_verify_batch(engine, tokens, 1, NULL, statuses, &error), SIGNOFF_OK);
    EXPECT(signoff_engine_verify_batch(engine, NULL, 0, NULL, NULL, &error), SIGNOFF_OK);

    /* A call that fails as a whole has accepted none. */
    statuses[0] = statuses[1] = SIGNOFF_OK;
    EXPECT(signoff_engine_verify_batch(NULL, tokens, 2, NULL, statuses, &error), SIGNOFF_ERR_NULL);
    EXPECT(statuses[0], SIGNOFF_ERR_NOT_VERIFIED);
    EXPECT(statuses[1], SIGNOFF_ERR_NOT_VERIFIED);
    free(good);
    free(out);
    signoff_engine_free(engine);
}

static void a_stale_log_is_unavailable_unless_it_is_allowed(void)
{
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    options.kind = SIGNOFF_LOG_MEMORY;
    options.flags = SIGNOFF_LOG_NO_THREADS;
    options.max_staleness_ms = 1000;
    for (uint32_t allowed = 0; allowed < 2; allowed++) {
        options.on_unknown = allowed ? SIGNOFF_ON_UNKNOWN_ACCEPT : SIGNOFF_ON_UNKNOWN_REJECT;
        signoff_engine *engine = engine_with(&policy, &options);
        signoff_times now = at(NOW_MS), later = at(NOW_MS + 60000);
        now.since_boot_ms = 1000;
        later.since_boot_ms = 61000;
        EXPECT(signoff_engine_refresh(engine, &now, NULL), SIGNOFF_OK);
        char *token = sign(engine, "{}", &now), texts[1024];
        signoff_claims claims = SIGNOFF_CLAIMS_INIT;
        EXPECT(signoff_engine_verify(engine, token, strlen(token), &now, texts, sizeof texts, &claims, NULL), SIGNOFF_OK);
        CHECK(claims.cleared == SIGNOFF_CLEARED_NOT_REVOKED);
        signoff_status status = signoff_engine_verify(engine, token, strlen(token), &later, texts, sizeof texts, &claims,
                                                      NULL);
        EXPECT(status, allowed ? SIGNOFF_OK : SIGNOFF_REVOCATIONS_STALE);
        CHECK(claims.cleared == (allowed ? SIGNOFF_CLEARED_UNKNOWN_STALE : SIGNOFF_CLEARED_NOTHING));
        free(token);
        signoff_engine_free(engine);
    }
}

/* Of an algorithm that is not here. The caller vouches for its signature. */
static void tokens_that_another_library_has_verified(void)
{
    static const char token[] = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJqdGkiOiJ2Iiwic3ViIjoidSJ9.dGhlaXJz";
    static const char twice[] = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJqdGkiOiJ2IiwiXHUwMDZhdGkiOiJ3In0.dGhlaXJz"; /* "jti" again, spelled with an escape. */
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_times now = at(NOW_MS);
    options.kind = SIGNOFF_LOG_MEMORY;
    signoff_engine *engine = engine_with(&policy, &options);
    uint32_t cleared = 99;
    EXPECT(verdict(engine, token, &now), SIGNOFF_HEADER_ALGORITHM);
    EXPECT(signoff_engine_insecure_screen(engine, token, sizeof token - 1, &now, &cleared, &error), SIGNOFF_OK);
    CHECK(cleared == SIGNOFF_CLEARED_NOT_REVOKED);
    EXPECT(signoff_engine_insecure_screen(engine, twice, sizeof twice - 1, &now, &cleared, &error), SIGNOFF_CLAIM_DUPLICATE);
    CHECK(cleared == SIGNOFF_CLEARED_NOTHING);

    signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
    revocation.target = SIGNOFF_REVOKE_TOKEN;
    revocation.value = signoff_str_of(token);
    EXPECT(signoff_engine_revoke(engine, &revocation, &now, NULL, &error), SIGNOFF_HEADER_ALGORITHM);
    revocation.target = SIGNOFF_REVOKE_INSECURE_VOUCHED;
    EXPECT(signoff_engine_revoke(engine, &revocation, &now, NULL, &error), SIGNOFF_OK);
    EXPECT(signoff_engine_insecure_screen(engine, token, sizeof token - 1, &now, NULL, NULL), SIGNOFF_TOKEN_REVOKED);
    signoff_engine_free(engine);

    signoff_key_set *keys = some_keys();
    EXPECT(signoff_engine_new(keys, &policy, &engine, &error), SIGNOFF_OK);
    EXPECT(signoff_engine_insecure_screen(engine, token, sizeof token - 1, &now, &cleared, &error), SIGNOFF_OK);
    CHECK(cleared == SIGNOFF_CLEARED_NO_LOG);
    EXPECT(signoff_engine_revoke(engine, &revocation, &now, NULL, &error), SIGNOFF_NO_LOG);
    signoff_key_set_free(keys);
    signoff_engine_free(engine);
}

static void engines_on_one_log_have_keys_and_policies_of_their_own(void)
{
    static const char other_secret[] = "another secret of thirty-two byt";
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    signoff_error error = SIGNOFF_ERROR_INIT;
    options.kind = SIGNOFF_LOG_MEMORY;
    signoff_engine *one = engine_with(&policy, &options), *other = NULL;
    signoff_key_set *keys = NULL;
    EXPECT(signoff_key_set_from_secret(SIGNOFF_ALGORITHM_HS256, other_secret, sizeof other_secret - 1, 0, &keys, &error),
           SIGNOFF_OK);
    policy.leeway_ms = UINT64_MAX;
    EXPECT(signoff_engine_on_same_log(one, keys, &policy, &other, &error), SIGNOFF_POLICY_INVALID);
    CHECK(other == NULL);
    policy.leeway_ms = 0;
    EXPECT(signoff_engine_on_same_log(one, keys, &policy, &other, &error), SIGNOFF_OK);
    char *ours = sign(one, "{\"jti\":\"a\"}", NULL), *theirs = sign(other, "{\"jti\":\"a\"}", NULL);
    EXPECT(verdict(one, ours, NULL), SIGNOFF_OK);
    EXPECT(verdict(one, theirs, NULL), SIGNOFF_SIGNATURE_INVALID);
    EXPECT(verdict(other, theirs, NULL), SIGNOFF_OK);

    signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
    revocation.target = SIGNOFF_REVOKE_JTI;
    revocation.value = SIGNOFF_STR("a");
    EXPECT(signoff_engine_revoke(other, &revocation, NULL, NULL, &error), SIGNOFF_OK);
    EXPECT(verdict(one, ours, NULL), SIGNOFF_TOKEN_REVOKED);
    signoff_engine_free(one);
    EXPECT(verdict(other, theirs, NULL), SIGNOFF_TOKEN_REVOKED);
    signoff_key_set_free(keys);
    signoff_engine_free(other);
    free(ours);
    free(theirs);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    versions_and_statuses();
    keys_are_loaded_in_three_ways();
    claims_are_views_into_the_buffer();
    every_kind_of_revocation(argv[1]);
    a_batch_says_it_of_each();
    a_stale_log_is_unavailable_unless_it_is_allowed();
    tokens_that_another_library_has_verified();
    engines_on_one_log_have_keys_and_policies_of_their_own();
    puts("story: ok");
    return 0;
}
