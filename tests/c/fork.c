/* What holds in a child process. Argument: a file for a log. */
#include "check.h"
#include <sys/wait.h>
#include <unistd.h>

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
    const signoff_log_options *options;
    const char *token;
};

static void child(const void *argument)
{
    const struct inherited *from = (const struct inherited *)argument;
    signoff_error error = SIGNOFF_ERROR_INIT;
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_revocation revocation = SIGNOFF_REVOCATION_INIT;
    signoff_health health = SIGNOFF_HEALTH_INIT;
    signoff_key_set *keys = some_keys();
    signoff_engine *engine = NULL;
    revocation.target = SIGNOFF_REVOKE_TOKEN;
    revocation.value = signoff_str_of(from->token);

    /* Nobody serves the parent's log here, so that nothing is accepted, and nothing seems to be logged out. */
    EXPECT(verdict(from->engine, from->token, NULL), SIGNOFF_ERR_FORKED);
    EXPECT(signoff_engine_revoke(from->engine, &revocation, NULL, NULL, &error), SIGNOFF_ERR_FORKED);
    CHECK(strstr(error.message, "open one in the child") != NULL);
    EXPECT(signoff_engine_health(from->engine, &health, &error), SIGNOFF_ERR_FORKED);
    EXPECT(signoff_engine_open(keys, &policy, from->log, &engine, &error), SIGNOFF_ERR_FORKED);

    /* An engine without a log goes on. */
    EXPECT(verdict(from->without_log, from->token, NULL), SIGNOFF_OK);

    /* One of the child's own works, and its log-outs reach the parent. Ending the inherited one neither hangs nor crashes. */
    signoff_engine_free(from->engine);
    engine = engine_with(&policy, from->options);
    EXPECT(verdict(engine, from->token, NULL), SIGNOFF_OK);
    EXPECT(signoff_engine_revoke(engine, &revocation, NULL, NULL, &error), SIGNOFF_OK);
    EXPECT(verdict(engine, from->token, NULL), SIGNOFF_TOKEN_REVOKED);
    signoff_engine_free(engine);
    signoff_key_set_free(keys);
    _exit(0);
}

int main(int argc, char **argv)
{
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_log_options options = SIGNOFF_LOG_OPTIONS_INIT;
    struct inherited from;
    CHECK(argc == 2);
    options.kind = SIGNOFF_LOG_SQLITE;
    options.flags = SIGNOFF_LOG_CREATE_IF_MISSING;
    options.path = signoff_str_of(argv[1]);
    EXPECT(signoff_log_new(&options, &from.log, NULL), SIGNOFF_OK);
    from.options = &options;
    from.without_log = engine_with(&policy, NULL);
    from.engine = engine_with(&policy, &options);
    char *token = sign(from.engine, "{\"sub\":\"u\"}", NULL);
    from.token = token;
    EXPECT(verdict(from.engine, token, NULL), SIGNOFF_OK);
    EXPECT(verdict(from.without_log, token, NULL), SIGNOFF_OK);
    CHECK(child_of(child, &from) == 0);

    /* The parent is as it was, and learns of the child's log-out. */
    EXPECT(signoff_engine_refresh(from.engine, NULL, NULL), SIGNOFF_OK);
    EXPECT(verdict(from.engine, token, NULL), SIGNOFF_TOKEN_REVOKED);
    EXPECT(verdict(from.without_log, token, NULL), SIGNOFF_OK);
    free(token);
    signoff_engine_free(from.engine);
    signoff_engine_free(from.without_log);
    signoff_log_free(from.log);
    puts("fork: ok");
    return 0;
}
