/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sriovctl: parse a line, run its verb, turn what went wrong into text and an exit status. */
#include "basic/log.h"
#include "src/verb-help.h"
#include "src/verb.h"

#include <errno.h>

static int run(const struct verb_line *line, struct error *e)
{
    if (verb_line_has(line, VERB_OPTION_HELP))
        return verb_help(line, e);
    if (verb_line_has(line, VERB_OPTION_VERSION)) {
        printf("sriovctl %s\n", PACKAGE_VERSION);
        return 0;
    }
    return line->verb->run(line, e);
}

int main(int argc, char *argv[])
{
    struct error e = ERROR_INIT;
    struct verb_line line;
    int r;

    log_init("sriovctl");
    r = verb_parse(argc > 0 ? argc - 1 : 0, argv + 1, &line, &e);
    if (r < 0) {
        log_error("%s", e.text);
        verb_help_usage(stderr, line.verb);
        return (int)error_status(r);
    }
    r = run(&line, &e);
    if (r < 0) {
        log_error("%s", e.text);
        return (int)error_status(r);
    }
    /* What a full disk or a closed pipe swallowed wasn't done. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        log_error("can't write the output: %s", strerror(errno));
        return EXIT_STATUS_FAILED;
    }
    return EXIT_STATUS_DONE;
}
