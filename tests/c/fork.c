/* What holds in a child process. Argument: a file for a log. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "check.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

static int child_of(void (*work)(const void *), const void *argument)
{
    int how = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        work(argument);
        _exit(7);
    }
    CHECK(waitpid(child, &how, 0) == child);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -WTERMSIG(how);
}

struct inherited {
    signoff_engine *engine, *without_log;
    signoff_log *log;
    signoff_listing *listing;
    signoff_revoking *revoking;
    const signoff_log_options *options;
    const char *token;
};

static signoff_revocation of_token(const char *token)
{
    signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
    revocation.target = SIGNOFF_REVOKE_TOKEN;
    revocation.value = signoff_str_of(token);
    return revocation;
}

/* A child of a process with a log in a file open. */
static void inherits(const void *argument)
{
    const struct inherited *from = (const struct inherited *)argument;
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_revocation revocation = of_token(from->token);
    signoff_health health = SIGNOFF_HEALTH_INIT;
    signoff_record record = SIGNOFF_RECORD_INIT;
    signoff_revoked revoked = SIGNOFF_REVOKED_INIT;
    signoff_key_set *keys = some_keys();
    signoff_engine *engine = NULL;
    signoff_log *log = NULL;

    /* Nobody serves the parent's log here, so that nothing is accepted, and nothing seems to be logged out. */
    EXPECT(verdict(from->engine, from->token, NULL), SIGNOFF_ERR_FORKED);
    EXPECT(signoff_engine_revoke(from->engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_FORKED);
    CHECK(strstr(error.message, "after the last fork") != NULL);
    EXPECT(signoff_engine_health(from->engine, &health, &error), SIGNOFF_ERR_FORKED);
    EXPECT(signoff_engine_open(keys, &policy, from->log, &engine, &error), SIGNOFF_ERR_FORKED);
    EXPECT(signoff_listing_next(from->listing, &record, &error), SIGNOFF_ERR_FORKED);
    EXPECT(signoff_revoking_wait(from->revoking, UINT64_MAX, &revoked, &error), SIGNOFF_ERR_FORKED);

    /* Nor can it open one of its own: SQLite's books say that this process holds locks which it does not hold. */
    EXPECT(signoff_log_new(from->options, &log, &error), SIGNOFF_OK);
    EXPECT(signoff_engine_open(keys, &policy, log, &engine, &error), SIGNOFF_ERR_FORKED);
    CHECK(engine == NULL && strstr(error.message, "SQLite") != NULL);
    signoff_log_free(log);

    /* Ending what was inherited neither hangs nor crashes. */
    signoff_listing_free(from->listing);
    signoff_revoking_free(from->revoking);
    signoff_engine_free(from->engine);

    /* Without a file there is no such trouble. */
    EXPECT(verdict(from->without_log, from->token, NULL), SIGNOFF_OK);
    engine = memory_engine();
    EXPECT(verdict(engine, from->token, NULL), SIGNOFF_OK);
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_OK);
    EXPECT(verdict(engine, from->token, NULL), SIGNOFF_TOKEN_REVOKED);
    signoff_engine_free(engine);
    signoff_key_set_free(keys);
    _exit(0);
}

/* A child of which no handler was told: the C library itself has not noticed it, so that this calls little. */
static int bare_child(const struct inherited *from)
{
#if defined(__linux__)
    int how = 0;
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    CHECK(child >= 0);
    if (child == 0) {
        signoff_error error = SIGNOFF_ERROR_INIT;
        signoff_revocation revocation = of_token(from->token);
        alarm(60);
        EXPECT(verdict(from->engine, from->token, NULL), SIGNOFF_ERR_FORKED);
        EXPECT(signoff_engine_revoke(from->engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_FORKED);
        signoff_engine_free(from->engine);
        EXPECT(verdict(from->without_log, from->token, NULL), SIGNOFF_OK);
        _exit(0);
    }
    CHECK(waitpid(child, &how, 0) == child);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -WTERMSIG(how);
#else
    (void)from;
    return 0;
#endif
}

/* A child that opens after the last fork, as it should be done. */
static void opens(const void *argument)
{
    const struct inherited *from = (const struct inherited *)argument;
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_revocation revocation = of_token(from->token);
    signoff_engine *engine = engine_with(&policy, from->options);
    EXPECT(verdict(engine, from->token, NULL), SIGNOFF_OK);
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_OK);
    EXPECT(verdict(engine, from->token, NULL), SIGNOFF_TOKEN_REVOKED);
    signoff_engine_free(engine);
    _exit(0);
}

int main(int argc, char **argv)
{
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    signoff_error error = SIGNOFF_ERROR_INIT;
    struct inherited from;
    int times;
    CHECK(argc == 2);
    options.kind = SIGNOFF_LOG_SQLITE;
    options.flags = SIGNOFF_LOG_CREATE_IF_MISSING;
    options.path = signoff_str_of(argv[1]);
    EXPECT(signoff_log_new(&options, &from.log, NULL), SIGNOFF_OK);
    from.options = &options;
    from.without_log = engine_with(&policy, NULL);
    from.engine = engine_with(&policy, &options);
    char *token = sign(from.engine, "{\"sub\":\"u\"}", NULL), *other = sign(from.engine, "{\"sub\":\"v\"}", NULL);
    from.token = token;
    EXPECT(verdict(from.engine, token, NULL), SIGNOFF_OK);
    EXPECT(verdict(from.without_log, token, NULL), SIGNOFF_OK);

    /* At whatever moment of what its threads do. */
    for (times = 0; times < 50; times++) {
        signoff_revocation revocation = of_token(other);
        EXPECT(signoff_listing_new(from.engine, &from.listing, &error), SIGNOFF_OK);
        EXPECT(signoff_engine_start_revoke(from.engine, &revocation, NULL, &from.revoking, &error), SIGNOFF_OK);
        CHECK(child_of(inherits, &from) == 0);
        signoff_listing_free(from.listing);
        signoff_revoking_free(from.revoking);
    }
    for (times = 0; times < 50; times++) {
        CHECK(bare_child(&from) == 0);
    }
    /* The parent is as it was. */
    EXPECT(verdict(from.engine, token, NULL), SIGNOFF_OK);
    EXPECT(verdict(from.engine, other, NULL), SIGNOFF_TOKEN_REVOKED);
    signoff_engine_free(from.engine);

    /* Once it has closed the log, a child opens it, and the parent learns of the child's log-out. */
    CHECK(child_of(opens, &from) == 0);
    from.engine = engine_with(&policy, &options);
    EXPECT(verdict(from.engine, token, NULL), SIGNOFF_TOKEN_REVOKED);
    EXPECT(verdict(from.without_log, token, NULL), SIGNOFF_OK);
    free(token);
    free(other);
    signoff_engine_free(from.engine);
    signoff_engine_free(from.without_log);
    signoff_log_free(from.log);
    puts("fork: ok");
    return 0;
}
