/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "src/state-file.h"

#include "temp-dir.h"
#include "unit.h"

#include <errno.h>
#include <sys/stat.h>

static int dir = -1;

static int make_dir(void **state)
{
    dir = temp_dir_make(state);
    return 0;
}

static int remove_dir(void **state)
{
    temp_dir_remove(state);
    dir = -1;
    return 0;
}

static void save_sample(void)
{
    struct state_draft d;

    state_draft_init(&d, "sample");
    state_draft_put(&d, "name", "%s", "vm1");
    state_draft_put(&d, "number", "%u", 7U);
    state_draft_put(&d, "empty", "%s", "");
    assert_int_equal(state_draft_save(&d, dir, "a", NULL), 0);
}

static void test_round_trip(void **state _unused_)
{
    struct state_file f;

    save_sample();
    assert_int_equal(state_file_load(dir, "a", "sample", &f, NULL), 0);
    assert_string_equal(state_file_get(&f, "name"), "vm1");
    assert_string_equal(state_file_get(&f, "number"), "7");
    assert_string_equal(state_file_get(&f, "empty"), "");
    assert_null(state_file_get(&f, "nam"));
    assert_null(state_file_get(&f, "end"));
}

static void test_text_is_readable(void **state _unused_)
{
    char text[256];

    save_sample();
    temp_dir_read(dir, "a", text, sizeof(text));
    assert_int_equal(strncmp(text, "sriovctl sample 1\nname=vm1\nnumber=7\nempty=\nend=", 47), 0);
}

static void test_missing(void **state _unused_)
{
    struct state_file f;

    assert_int_equal(state_file_load(dir, "none", "sample", &f, NULL), -ENOENT);
}

static void assert_damaged(const char *what)
{
    struct error e = ERROR_INIT;
    struct state_file f;

    assert_int_equal(state_file_load(dir, "a", "sample", &f, &e), -EBADMSG);
    assert_text_has(e.text, "state file a is damaged");
    assert_text_has(e.text, what);
}

/* A power cut may leave any prefix of a file that was written in place. */
static void test_every_prefix_is_refused(void **state _unused_)
{
    char text[256];
    size_t size;

    save_sample();
    size = temp_dir_read(dir, "a", text, sizeof(text));
    for (size_t n = 0; n < size - 1; n++) {
        temp_dir_write(dir, "a", text, n);
        assert_damaged("");
    }
    /* The last newline says nothing. */
    temp_dir_write(dir, "a", text, size - 1);
    assert_int_equal(
        state_file_load(dir, "a", "sample", &(struct state_file){.num_fields = 0}, NULL), 0);
}

static void test_every_flipped_bit_is_refused(void **state _unused_)
{
    char text[256];
    size_t size;

    save_sample();
    size = temp_dir_read(dir, "a", text, sizeof(text)) - 1;
    for (size_t i = 0; i < size * 8; i++) {
        struct state_file f;

        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
        temp_dir_write(dir, "a", text, size + 1);
        assert_int_equal(state_file_load(dir, "a", "sample", &f, NULL), -EBADMSG);
        text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
    }
}

/* Files that end in the right checksum, so that only what they say is wrong. */
static void test_sealed_nonsense(void **state _unused_)
{
    static const struct {
        const char *type, *key, *value, *what;
    } cases[] = {
        {"other", "name", "vm1", "another type or version"},
        {"sample 2", "name", "vm1", "another type or version"},
        {"sample", "twice", "1", "a field is there twice"},
        {"sample", "no\nequals", "1", "malformed line"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct state_draft d;

        state_draft_init(&d, cases[i].type);
        state_draft_put(&d, cases[i].key, "%s", cases[i].value);
        state_draft_put(&d, "twice", "%s", "2");
        assert_int_equal(state_draft_save(&d, dir, "a", NULL), 0);
        assert_damaged(cases[i].what);
    }
}

static void test_too_many_fields(void **state _unused_)
{
    struct state_draft d;
    char key[16];

    state_draft_init(&d, "sample");
    for (unsigned i = 0; i <= STATE_FIELDS_MAX; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        state_draft_put(&d, key, "%u", i);
    }
    assert_int_equal(state_draft_save(&d, dir, "a", NULL), 0);
    assert_damaged("malformed line");
}

static void test_nul_and_size(void **state _unused_)
{
    static const char zeros[STATE_FILE_MAX + 1];
    struct state_file f;

    temp_dir_write(dir, "a", zeros, 100);
    assert_damaged("NUL");
    temp_dir_write(dir, "a", zeros, sizeof(zeros));
    assert_int_equal(state_file_load(dir, "a", "sample", &f, NULL), -EFBIG);
}

/* What can't be kept isn't written, and what was there stays. */
static void test_overflow(void **state _unused_)
{
    static char big[1100];
    struct error e = ERROR_INIT;
    struct state_draft d;
    struct state_file f;

    save_sample();
    state_draft_init(&d, "sample");
    state_draft_put(&d, "name", "%s", "two\nlines=1");
    assert_int_equal(state_draft_save(&d, dir, "a", &e), -EMSGSIZE);
    assert_text_has(e.text, "state file a");

    memset(big, 'x', sizeof(big) - 1);
    state_draft_init(&d, "sample");
    state_draft_put(&d, "name", "%s", big);
    assert_int_equal(state_draft_save(&d, dir, "a", NULL), -EMSGSIZE);

    big[1000] = '\0';
    state_draft_init(&d, "sample");
    for (unsigned i = 0; i < 9; i++)
        state_draft_put(&d, "name", "%s", big);
    assert_int_equal(state_draft_save(&d, dir, "a", NULL), -EMSGSIZE);

    assert_int_equal(state_file_load(dir, "a", "sample", &f, NULL), 0);
    assert_string_equal(state_file_get(&f, "name"), "vm1");
}

static void test_nowhere_to_write(void **state _unused_)
{
    struct error e = ERROR_INIT;
    struct state_draft d;

    state_draft_init(&d, "sample");
    assert_int_equal(state_draft_save(&d, -1, "a", &e), -EBADF);
    assert_text_has(e.text, "cannot write state file a");
    assert_text_has(e.text, "nothing was changed");
}

#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIR_TEST(test_round_trip),
        DIR_TEST(test_text_is_readable),
        DIR_TEST(test_missing),
        DIR_TEST(test_every_prefix_is_refused),
        DIR_TEST(test_every_flipped_bit_is_refused),
        DIR_TEST(test_sealed_nonsense),
        DIR_TEST(test_too_many_fields),
        DIR_TEST(test_nul_and_size),
        DIR_TEST(test_overflow),
        DIR_TEST(test_nowhere_to_write),
    };

    return cmocka_run_group_tests_name("state-file", tests, NULL, NULL);
}
