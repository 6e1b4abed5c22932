//! What the manual pages and `--help` say of each command beyond its options: examples, what is printed, how it exits.

/// What there is to say of a command.
pub(crate) struct Page {
    pub(crate) command: &'static str,
    /// What an example does, and the example.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// A field or line of the output, and what it says.
    pub(crate) output: &'static [(&'static str, &'static str)],
    /// Which of the exit statuses it can end with.
    pub(crate) exits: &'static [u8],
}

/// Every exit status.
pub(crate) const EXITS: &[(u8, &str)] = &[
    (0, "Everything was accepted, or done."),
    (1, "Some token was not accepted, or some line could not be carried out."),
    (2, "The call can't be carried out as it was made; nothing was changed."),
    (3, "A file, a server, the disk or the clock stands in the way, or whoever read the output has gone."),
];

/// Every command, in the order of the command line.
pub(crate) const PAGES: &[Page] = &[
    Page {
        command: "sign",
        examples: &[
            ("A token of a day for a user", "signoff sign --secret-file secret.txt --expires-in 1d '{\"sub\":\"42\"}'"),
            (
                "One that expired in the past, for a test",
                "signoff sign --secret-file secret.txt --at 2026-01-31T12:00:00Z --expires-in 1h '{\"sub\":\"42\"}'",
            ),
        ],
        output: &[("(a line)", "The token in compact form.")],
        exits: &[0, 2, 3],
    },
    Page {
        command: "verify",
        examples: &[
            (
                "A token from a variable",
                "printf '%s\\n' \"$TOKEN\" | signoff verify --secret-file secret.txt --log signoff.db",
            ),
            ("What is rejected among many", "signoff verify --quiet --jwks keys.json --log signoff.db tokens.txt"),
            (
                "Access tokens of Keycloak alone",
                "signoff verify --jwks keys.json --audience account --claim typ=Bearer tokens.txt",
            ),
        ],
        output: &[
            ("ok", "true: the token is accepted."),
            ("claims", "The claims of an accepted token."),
            ("code, number", "The status of a token that is not accepted, as docs/status-codes.md has it."),
            ("message", "The same in words."),
            ("file, line", "With --quiet: where the token stands."),
            ("signature_only, payload", "With --signature-only: the payload in base64."),
        ],
        exits: &[0, 1, 2, 3],
    },
    Page {
        command: "create",
        examples: &[
            ("A log beside a service", "signoff create --log signoff.db --longest-lifetime 30d"),
            (
                "One on a Redis server, with the password in a file",
                "signoff create --log 'redis://shop@redis.example:6379/0?password_file=/run/secrets/redis'",
            ),
        ],
        output: &[("(a line)", "Where the log was made.")],
        exits: &[0, 2, 3],
    },
    Page {
        command: "revoke",
        examples: &[
            (
                "A token, which stays out of the shell's history",
                "signoff revoke --log signoff.db --secret-file secret.txt - < token.txt",
            ),
            ("A user on every device", "signoff revoke --log signoff.db --subject 42 --reason 'password changed'"),
            ("What another log has", "signoff list --log other.db | signoff revoke --log signoff.db --records -"),
            (
                "Everybody, up to a leak",
                "signoff revoke --log signoff.db --everything-before 2026-01-31T12:00:00Z --yes",
            ),
        ],
        output: &[
            ("ok", "true: it is logged out."),
            (
                "outcome",
                "recorded; already-covered: the log has it; already-expired: what was named has ended, and no engine accepts it.",
            ),
            ("line", "With a file: the line, counted from 1."),
            ("code, number, message", "With a file: why a line was not carried out."),
        ],
        exits: &[0, 1, 2, 3],
    },
    Page {
        command: "list",
        examples: &[(
            "The users that were logged out",
            "signoff list --log signoff.db | jq -r 'select(.scope==\"subject\").value'",
        )],
        output: &[
            ("scope", "token, session, subject or everything."),
            ("value", "Which: jti:... or sha256:... of a token, the sid, the sub."),
            ("issuer", "Only tokens of this issuer; null: only those without one; absent: of any."),
            ("issued_before", "Only tokens that were issued before."),
            ("keep", "The ids that are spared."),
            ("keep_until", "When the record may be deleted."),
            ("recorded_at", "When it was recorded."),
            ("reason", "A word for whoever reads it."),
        ],
        exits: &[0, 2, 3],
    },
    Page {
        command: "stats",
        examples: &[("For Prometheus", "signoff stats --log signoff.db --prometheus")],
        output: &[
            ("revocations", "How many of each scope."),
            ("head", "The position of the newest."),
            ("junk_rows", "Rows that are no revocations."),
            ("index_bytes", "The memory of an engine's index."),
            ("file_bytes", "The size of the file."),
            ("(lines)", "With --prometheus: the same, and more, as Prometheus reads it."),
        ],
        exits: &[0, 2, 3],
    },
    Page {
        command: "compact",
        examples: &[("Give the room of expired log-outs back", "signoff compact --log signoff.db")],
        output: &[("(a line)", "How many were deleted.")],
        exits: &[0, 2, 3],
    },
    Page {
        command: "lifetime",
        examples: &[
            ("How long tokens may live", "signoff lifetime --log signoff.db"),
            (
                "Let them live for a month, from ten minutes from now on",
                "signoff lifetime --log signoff.db --raise 30d",
            ),
        ],
        output: &[("(lines)", "From when it counts, and how long tokens may live.")],
        exits: &[0, 2, 3],
    },
    Page {
        command: "erase",
        examples: &[(
            "A user who was logged out by mistake",
            "signoff list --log signoff.db | grep '\"value\":\"alice\"' | signoff erase --log signoff.db --records - --yes",
        )],
        output: &[
            ("(a line)", "How many were erased."),
            ("(lines)", "On standard error: which lines the log does not have."),
        ],
        exits: &[0, 1, 2, 3],
    },
    Page {
        command: "backup",
        examples: &[("A copy while services run", "signoff backup --log signoff.db backup-2026-01-31.db")],
        output: &[("(a line)", "How many revocations the copy has.")],
        exits: &[0, 2, 3],
    },
    Page {
        command: "restore",
        examples: &[("Put it back", "signoff restore --log signoff.db backup-2026-01-31.db")],
        output: &[("(a line)", "How many revocations the log has, and how many were lost.")],
        exits: &[0, 2, 3],
    },
    Page {
        command: "inspect",
        examples: &[("What a token says", "signoff inspect - < token.txt")],
        output: &[
            ("header, claims, signature", "What the token says. Nothing of it was verified."),
            ("iat, nbf, exp", "When that is or was."),
            ("warning", "What a verification would not like."),
        ],
        exits: &[0, 1, 2, 3],
    },
    Page {
        command: "demo",
        examples: &[("Ten seconds", "signoff demo")],
        output: &[("(lines)", "What was done, and what it cost.")],
        exits: &[0, 1, 3],
    },
    Page {
        command: "generate",
        examples: &[
            ("For a package", "signoff generate man /usr/share/man/man1"),
            ("For a user", "mkdir -p ~/.bash-completions && signoff generate completions ~/.bash-completions"),
        ],
        output: &[],
        exits: &[0, 2, 3],
    },
];

/// What `--help` says behind the options.
pub(crate) fn help(page: &Page) -> String {
    let mut text = String::from("Examples:\n");
    for (what, example) in page.examples {
        text += &format!("  # {what}\n  {example}\n");
    }
    text += "\nExit status:\n";
    for (status, what) in EXITS.iter().filter(|(status, _)| page.exits.contains(status)) {
        text += &format!("  {status}  {what}\n");
    }
    text
}
