/* The log on a Redis server, from C: `redis online URL` while the server runs, then `redis outage URL` when it is gone.
   The URL of the second names a local file and outage=keep, as that of the third engine of the first does. */
#include "check.h"

#include <time.h>

static signoff_engine *on(const char *url)
{
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    options.kind = SIGNOFF_LOG_REDIS;
    options.flags = SIGNOFF_LOG_CREATE_IF_MISSING;
    options.path = signoff_str_of(url);
    options.max_staleness_ms = 3600u * 1000;
    return engine_with(&policy, &options);
}

static signoff_revoked revoke(signoff_engine *engine, const char *token)
{
    signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
    signoff_revoked revoked = SIGNOFF_REVOKED_INIT;
    signoff_error error = SIGNOFF_ERROR_INIT;
    revocation.target = SIGNOFF_REVOKE_TOKEN;
    revocation.value = signoff_str_of(token);
    signoff_status status = signoff_engine_revoke(engine, &revocation, NULL, &revoked, &error);
    if (status != SIGNOFF_OK) fprintf(stderr, "%s\n", error.message);
    EXPECT(status, SIGNOFF_OK);
    CHECK(revoked.outcome == SIGNOFF_REVOKED_RECORDED);
    return revoked;
}

static void until_refused(const signoff_engine *engine, const char *token)
{
    struct timespec pause = {0, 2000000};
    for (int turn = 0; turn < 10000 && verdict(engine, token, NULL) != SIGNOFF_TOKEN_REVOKED; turn++) nanosleep(&pause, NULL);
    EXPECT(verdict(engine, token, NULL), SIGNOFF_TOKEN_REVOKED);
}

/* What is wrong is told at once, and without the password. */
static void wrong_places(void)
{
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    signoff_key_set *keys = some_keys();
    struct { const char *url; signoff_status status; } cases[] = {
        {"redis://:hush@127.0.0.1:1", SIGNOFF_LOG_UNREACHABLE},
        {"redis://:hush@127.0.0.1:1/?replicas=many", SIGNOFF_LOG_URL},
        {"redis://:hush@127.0.0.1:1/?outage=keep", SIGNOFF_LOG_URL},
        {"redis://:hush@127.0.0.1:1/?local_file=/nowhere/copy.db", SIGNOFF_LOG_NO_DIRECTORY},
        {"http://:hush@127.0.0.1:1", SIGNOFF_LOG_URL},
    };
    options.kind = SIGNOFF_LOG_REDIS;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        signoff_log *log = NULL;
        signoff_engine *engine = NULL;
        signoff_error error = SIGNOFF_ERROR_INIT;
        options.path = signoff_str_of(cases[i].url);
        EXPECT(signoff_log_new(&options, &log, &error), SIGNOFF_OK);
        EXPECT(signoff_engine_open(keys, &policy, log, &engine, &error), cases[i].status);
        CHECK(engine == NULL && error.message[0] != '\0' && strstr(error.message, "hush") == NULL);
        signoff_log_free(log);
    }
    signoff_key_set_free(keys);
}

static void online(const char *url, const char *with_file)
{
    signoff_engine *one = on(url), *two = on(url), *three = on(with_file);
    char *token = sign(one, "{\"sub\":\"u\",\"jti\":\"a\"}", NULL);
    char *good = sign(one, "{\"sub\":\"u\",\"jti\":\"b\"}", NULL);
    EXPECT(verdict(two, token, NULL), SIGNOFF_OK);
    signoff_revoked revoked = revoke(one, token);
    CHECK(revoked.durability == SIGNOFF_DURABILITY_PRIMARY && revoked.replicas == 0);
    until_refused(two, token);
    until_refused(three, token);
    EXPECT(verdict(two, good, NULL), SIGNOFF_OK);
    signoff_health health = SIGNOFF_HEALTH_INIT;
    EXPECT(signoff_engine_health(two, &health, NULL), SIGNOFF_OK);
    CHECK(health.ready == 1 && health.fault == SIGNOFF_OK && health.origin == SIGNOFF_ORIGIN_FOUND);
    free(token);
    free(good);
    signoff_engine_free(one);
    signoff_engine_free(two);
    signoff_engine_free(three);
}

static void outage(const char *with_file)
{
    signoff_engine *engine = on(with_file), *signer = memory_engine();
    /* An engine signs nothing that it would refuse. */
    char *token = sign(signer, "{\"sub\":\"u\",\"jti\":\"a\"}", NULL);
    char *good = sign(signer, "{\"sub\":\"u\",\"jti\":\"b\"}", NULL);
    EXPECT(verdict(engine, token, NULL), SIGNOFF_TOKEN_REVOKED);
    EXPECT(verdict(engine, good, NULL), SIGNOFF_OK);
    signoff_health health = SIGNOFF_HEALTH_INIT;
    EXPECT(signoff_engine_health(engine, &health, NULL), SIGNOFF_OK);
    CHECK(health.ready == 1 && health.fault == SIGNOFF_LOG_UNREACHABLE);
    CHECK(revoke(engine, good).durability == SIGNOFF_DURABILITY_LOCAL_FILE);
    EXPECT(verdict(engine, good, NULL), SIGNOFF_TOKEN_REVOKED);
    free(token);
    free(good);
    signoff_engine_free(signer);
    signoff_engine_free(engine);
}

int main(int argc, char **argv)
{
    CHECK(argc >= 3);
    wrong_places();
    if (strcmp(argv[1], "online") == 0 && argc == 4) online(argv[2], argv[3]);
    else outage(argv[2]);
    puts("redis: ok");
    return 0;
}
