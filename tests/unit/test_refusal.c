// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said where the kernel does not let us trace: one line each, with what would help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "kernel/refusal.h"

static const struct {
	struct sf_refusal why;
	int want;
	const char *remedy;
} cases[] = {
	{ { .err = -ENOENT, .lacks_target = true }, -EOPNOTSUPP, "boot Linux 5.9 or newer" },
	/* what is missing is so whatever was tried */
	{ { .err = -EPERM, .lacks_target = true }, -EOPNOTSUPP, "boot Linux 5.9 or newer" },
	{ { .err = -EACCES, .program = "state_tp", .is_verifier = true },
	  -EOPNOTSUPP,
	  "program state_tp, " },
	{ { .err = -EINVAL, .program = "state_tp", .is_verifier = true },
	  -EOPNOTSUPP,
	  "report it with what -vv prints" },
	{ { .err = -EPERM }, -EPERM, "seccomp filter" },
	{ { .err = -EACCES, .program = "destroy_tp" }, -EPERM, "lockdown" },
	{ { .err = -ENOMEM }, -ENOMEM, "smaller --buffer or --max-connections" },
	{ { .err = -EMFILE, .program = "state_tp" }, -EMFILE, "ulimit -n" },
	{ { .err = -ENFILE }, -ENFILE, "ulimit -n" },
	{ { .err = -EBUSY }, -EBUSY, "report it with what -vv prints" },
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char err[256] = "";

		assert_int_equal(sf_refusal_explain(&cases[i].why, err, sizeof(err)),
				 cases[i].want);
		assert_non_null(strstr(err, cases[i].remedy));
		assert_null(strchr(err, '\n'));
		assert_true(strlen(err) + 1 < sizeof(err)); /* whole */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
