/* Verifies what it reads from standard input, for the vector corpus: fields as "name length\n" and the bytes and "\n", then
 * "run 0\n\n", which prints the status's name and, if the token is accepted, the length of the payload and the payload. */
#include "check.h"

enum { FIELDS = 16 };
static struct { char name[32]; char *text; size_t len; } fields[FIELDS];
static size_t count;

static signoff_str field(const char *name)
{
    signoff_str none = SIGNOFF_STR_INIT;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            signoff_str text = SIGNOFF_STR_INIT;
            text.data = fields[i].text;
            text.len = fields[i].len;
            return text;
        }
    }
    return none;
}

static long long number(const char *name)
{
    signoff_str text = field(name);
    return text.data == NULL ? 0 : strtoll(text.data, NULL, 10);
}

static signoff_status run(signoff_str *payload, char *buffer, size_t size)
{
    signoff_policy policy = SIGNOFF_POLICY_INIT;
    signoff_str issuer = field("issuer"), audience = field("audience"), token = field("token"), keys_json = field("keys");
    signoff_str required[FIELDS], types[FIELDS];
    signoff_claim_value values[FIELDS];
    signoff_key_set *keys = NULL;
    signoff_engine *engine = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, "require") == 0) {
            required[policy.required_claims_len].data = fields[i].text;
            required[policy.required_claims_len++].len = fields[i].len;
        }
        signoff_str text = SIGNOFF_STR_INIT;
        text.data = fields[i].text;
        text.len = fields[i].len;
        if (strcmp(fields[i].name, "other_token_type") == 0) types[policy.other_token_types_len++] = text;
        /* A claim's name, and behind it its value. */
        if (strcmp(fields[i].name, "claim_name") == 0) {
            memset(&values[policy.claim_values_len], 0, sizeof values[0]);
            values[policy.claim_values_len++].name = text;
        }
        if (strncmp(fields[i].name, "claim_", 6) == 0 && policy.claim_values_len > 0) {
            signoff_claim_value *value = &values[policy.claim_values_len - 1];
            if (strcmp(fields[i].name, "claim_text") == 0) {
                value->kind = SIGNOFF_VALUE_STRING;
                value->text = text;
            } else if (strcmp(fields[i].name, "claim_number") == 0) {
                value->kind = SIGNOFF_VALUE_NUMBER;
                value->number = atof(fields[i].text);
            } else if (strcmp(fields[i].name, "claim_boolean") == 0) {
                value->kind = SIGNOFF_VALUE_BOOLEAN;
                value->boolean = fields[i].text[0] == '1';
            }
        }
    }
    policy.required_claims = policy.required_claims_len > 0 ? required : NULL;
    policy.other_token_types = policy.other_token_types_len > 0 ? types : NULL;
    policy.claim_values = policy.claim_values_len > 0 ? values : NULL;
    policy.issuers = issuer.data != NULL ? &issuer : NULL;
    policy.issuers_len = issuer.data != NULL;
    policy.audiences = audience.data != NULL ? &audience : NULL;
    policy.audiences_len = audience.data != NULL;
    policy.subject = field("subject");
    policy.token_type = field("token_type");
    policy.leeway_ms = (uint64_t)number("leeway_secs") * 1000;
    policy.age_max_ms = (uint64_t)number("age_max_secs") * 1000;
    policy.lifetime_max_ms = (uint64_t)number("lifetime_max_secs") * 1000;
    policy.flags = (uint32_t)number("policy_flags");
    signoff_status status = signoff_key_set_from_jwks(keys_json.data, keys_json.len, (uint32_t)number("key_flags"), &keys, NULL);
    if (status == SIGNOFF_OK) status = signoff_engine_new(keys, &policy, &engine, NULL);
    if (status == SIGNOFF_OK) {
        signoff_times now = at((int64_t)number("now") * 1000);
        signoff_claims claims = SIGNOFF_CLAIMS_INIT;
        status = signoff_engine_verify(engine, token.data, token.len, &now, buffer, size, &claims, NULL);
        *payload = claims.payload;
        /* Alone, in a batch, and kept: one verdict. */
        signoff_status in_batch = SIGNOFF_OK;
        signoff_accepted *accepted = NULL;
        EXPECT(signoff_engine_verify_batch(engine, &token, 1, &now, &in_batch, NULL), status);
        EXPECT(in_batch, status);
        EXPECT(signoff_engine_accept(engine, token.data, token.len, &now, &accepted, NULL), status);
        signoff_accepted_free(accepted);
    }
    signoff_engine_free(engine);
    signoff_key_set_free(keys);
    return status;
}

int main(void)
{
    static char buffer[1 << 20];
    char name[32];
    size_t len;
    while (scanf("%31s %zu", name, &len) == 2) {
        CHECK(getchar() == '\n');
        if (strcmp(name, "run") == 0) {
            signoff_str payload = SIGNOFF_STR_INIT;
            signoff_status status = run(&payload, buffer, sizeof buffer);
            printf("%s %zu\n", signoff_status_name(status), payload.len);
            fwrite(payload.data == NULL ? "" : payload.data, 1, payload.len, stdout);
            printf("\n");
            for (size_t i = 0; i < count; i++) free(fields[i].text);
            count = 0;
            continue;
        }
        CHECK(count < FIELDS);
        strcpy(fields[count].name, name);
        fields[count].len = len;
        fields[count].text = (char *)malloc(len + 1);
        CHECK(fields[count].text != NULL && fread(fields[count].text, 1, len, stdin) == len);
        fields[count++].text[len] = 0;
    }
    return 0;
}
