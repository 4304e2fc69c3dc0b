/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/verb.h"

#include "sriov/policy.h"
#include "tests/unit/unit.h"

#include <errno.h>

#define WORDS_MAX 24

/* Parse "assign vf0 vm1": words are separated by single spaces, "''" is an empty one. */
static int parse(const char *text, struct verb_line *line, struct error *e)
{
    static char copy[512];
    char *argv[WORDS_MAX], *rest = copy;
    int argc = 0;

    snprintf(copy, sizeof(copy), "%s", text);
    while (rest && *rest) {
        char *word = strsep(&rest, " ");

        argv[argc++] = streq(word, "''") ? word + 2 : word;
    }
    return verb_parse(argc, argv, line, e);
}

static void parse_good(const char *text, struct verb_line *line)
{
    struct error e = ERROR_INIT;

    if (parse(text, line, &e) != 0)
        fail_msg("'%s': %s", text, e.text);
}

static void test_arguments(void **state _unused_)
{
    struct verb_line line;

    parse_good("list", &line);
    assert_string_equal(line.verb->name, "list");
    assert_int_equal(line.n_args, 0);
    parse_good("list vf", &line);
    assert_string_equal(line.args[0], "vf");
    parse_good("enable enp1s0 4", &line);
    assert_string_equal(line.args[0], "enp1s0");
    assert_string_equal(line.args[1], "4");
    parse_good("assign any libvirt:web-1", &line);
    assert_string_equal(line.args[0], "any");
    assert_string_equal(line.args[1], "libvirt:web-1");
    assert_int_equal(line.policy.count, 0);
}

static void test_words(void **state _unused_)
{
    struct verb_line line;

    parse_good("assign vf0 vm1 mac 52:54:00:12:34:56 fallback virtio vlan 100 standby off", &line);
    assert_int_equal(line.policy.count, 2);
    assert_string_equal(dict_get(&line.policy, "mac"), "52:54:00:12:34:56");
    assert_string_equal(dict_get(&line.policy, "vlan"), "100");
    assert_int_equal(line.words.count, 2);
    assert_string_equal(dict_get(&line.words, "fallback"), "virtio");
    assert_string_equal(dict_get(&line.words, "standby"), "off");
    parse_good("set vf0 trust on", &line);
    assert_string_equal(dict_get(&line.policy, "trust"), "on");
}

static void test_options_stand_anywhere(void **state _unused_)
{
    static const char *const lines[] = {
        "--json --timeout 7 --dry-run set vf0 vlan 5",
        "set --timeout=7 -j vf0 --dry-run vlan 5",
        "set vf0 vlan --json 5 --dry-run --timeout 7",
        "-j --dry-run --timeout 7 -- set vf0 vlan 5",
    };
    struct verb_line line;

    for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
        parse_good(lines[i], &line);
        assert_int_equal(line.options, 1U << VERB_OPTION_JSON | 1U << VERB_OPTION_DRY_RUN |
                                           1U << VERB_OPTION_TIMEOUT);
        assert_int_equal(line.timeout_s, 7);
        assert_string_equal(line.args[0], "vf0");
        assert_string_equal(dict_get(&line.policy, "vlan"), "5");
    }
}

static void test_help_needs_no_more(void **state _unused_)
{
    struct verb_line line;

    parse_good("--help", &line);
    assert_null(line.verb);
    assert_true(verb_line_has(&line, VERB_OPTION_HELP));
    parse_good("assign -h", &line);
    assert_string_equal(line.verb->name, "assign");
    parse_good("--version", &line);
    assert_true(verb_line_has(&line, VERB_OPTION_VERSION));
}

/* A domain may be called "--help": that must not keep its hook from running. */
static void test_hook_is_verbatim(void **state _unused_)
{
    struct verb_line line;

    parse_good("hook qemu --help prepare begin - more", &line);
    assert_int_equal(line.options, 0);
    assert_int_equal(line.n_args, 5);
    assert_string_equal(line.args[1], "--help");
    assert_string_equal(line.args[4], "-");
    parse_good("hook --help", &line);
    assert_true(verb_line_has(&line, VERB_OPTION_HELP));
}

static void test_bad_lines(void **state _unused_)
{
    static const struct {
        const char *line, *message;
    } rows[] = {
        {"", "verb is missing"},
        {"--json", "verb is missing"},
        {"lsit", "no verb 'lsit'"},
        {"''", "no verb ''"},
        {"list nic", "pf, vf or vm"},
        {"list pf vf", "'vf' is too much"},
        {"list --dry-run", "list doesn't take --dry-run"},
        {"hook --json qemu a b c d", "hook doesn't take --json"},
        {"show", "PF|VF|VM is missing"},
        {"show ''", "'' is not valid"},
        {"show a\nb", "is not valid"},
        {"show \303\244", "is not valid"},
        {"enable eth0", "COUNT is missing"},
        {"enable eth0 four", "'four' is not valid"},
        {"enable eth0 -1", "no option -1"},
        {"enable eth0 4294967296", "is not valid"},
        {"enable eth0 4 vlan", "'vlan' is too much"},
        {"assign vf0", "VM is missing"},
        {"assign vf0 ../vm1", "VM '../vm1' is not valid"},
        {"assign vf0 libvirt:", "VM 'libvirt:' is not valid"},
        {"assign vf0 vm1 color red", "'color' is not a word"},
        {"assign vf0 vm1 vlan", "vlan needs a value"},
        {"assign vf0 vm1 vlan 4095", "vlan '4095'"},
        {"assign vf0 vm1 vlan 1 vlan 2", "vlan is given twice"},
        {"assign vf0 vm1 fallback none fallback none", "fallback is given twice"},
        {"assign vf0 vm1 fallback maybe", "virtio or none"},
        {"assign vf0 vm1 standby 1", "on or off"},
        {"assign vf0 vm1 mac 01:00:5e:00:00:01", "multicast"},
        {"assign vf0 vm1 mac 00:00:00:00:00:00", "zero"},
        {"assign vf0 vm1 trust yes", "trust 'yes'"},
        {"release", "VF is missing"},
        {"release vf0 vm1", "'vm1' is too much"},
        {"set vf0", "POLICY is missing"},
        {"set vf0 fallback virtio", "'fallback' is not a word"},
        {"hook", "qemu is missing"},
        {"hook lxc a b c d", "'lxc' is not valid"},
        {"hook qemu vm1 prepare begin", "EXTRA is missing"},
        {"help nothing", "'nothing' is not valid"},
        {"list --timeout", "--timeout needs a value"},
        {"list --timeout 0", "--timeout '0'"},
        {"list --timeout=1.5", "--timeout '1.5'"},
        {"list --timeout 86401", "1 to 86400"},
        {"list --json=yes", "--json takes no value"},
        {"list --jso", "no option --jso"},
        {"list -jj", "no option -jj"},
        {"list -- --json", "'--json' is not valid"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct error e = ERROR_INIT;
        struct verb_line line;
        int r = parse(rows[i].line, &line, &e);

        if (error_status(r) != EXIT_STATUS_USAGE || !strstr(e.text, rows[i].message))
            fail_msg("'%s': %d '%s', not '%s'", rows[i].line, r, e.text, rows[i].message);
    }
}

static void test_table_is_complete(void **state _unused_)
{
    for (size_t i = 0; i < verb_count; i++) {
        assert_non_null(verb_table[i].run);
        assert_non_null(verb_table[i].help);
        assert_ptr_equal(verb_find(verb_table[i].name), &verb_table[i]);
        /* A synopsis that was cut would be as long as its buffer. */
        assert_true(strlen(VERB_SYNOPSIS_STR(&verb_table[i])) < VERB_SYNOPSIS - 1);
    }
    for (int o = 0; o < VERB_OPTION_COUNT; o++)
        assert_non_null(verb_options[o].name);
}

/* The manual page without what troff makes of "-". */
static char *read_page(void)
{
    FILE *f = fopen(MAN_DIR "/sriovctl.1", "re");
    char *page = calloc(1, 65536), *to = page;
    int c;

    assert_non_null(f);
    assert_non_null(page);
    while ((c = fgetc(f)) != EOF && to < page + 65535)
        if (c != '\\')
            *to++ = (char)c;
    fclose(f);
    return page;
}

static void test_manual_page_has_every_word(void **state _unused_)
{
    _cleanup_free_ char *page = read_page();
    char text[VERB_SYNOPSIS + 32];

    for (size_t i = 0; i < verb_count; i++) {
        snprintf(text, sizeof(text), ".B sriovctl %s\n", VERB_SYNOPSIS_STR(&verb_table[i]));
        assert_text_has(page, text);
    }
    for (int a = 0; a < POLICY_ATTR_COUNT; a++)
        assert_text_has(page, policy_table[a].name);
    for (size_t i = 0; i < verb_word_count; i++)
        assert_text_has(page, verb_words[i].name);
    for (int o = 0; o < VERB_OPTION_COUNT; o++) {
        snprintf(text, sizeof(text), "--%s", verb_options[o].name);
        assert_text_has(page, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_options_stand_anywhere),
        cmocka_unit_test(test_help_needs_no_more),
        cmocka_unit_test(test_hook_is_verbatim),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_table_is_complete),
        cmocka_unit_test(test_manual_page_has_every_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
