# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For the tests of the build: a small tree that keeps all the rules, with the
# real Makefile, lint and runners, and stand-ins for the sources.

real=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

# lacks GREP-ARGUMENTS: standard input holds no such line (a "!" fails no test in bats).
lacks() {
	local text
	text=$(cat)
	[ -n "$text" ] || return 1 # nothing came: nothing was looked at
	if grep -q "$@" <<<"$text"; then
		printf 'found %s in:\n%s\n' "$*" "$text"
		return 1
	fi
}

# write FILE: standard input becomes the file, folders and all.
write() {
	mkdir -p "$(dirname "$1")"
	cat >"$1"
}

# make_tree FOLDER
make_tree() {
	local file
	mkdir -p "$1/vmlinux"
	for file in Makefile LICENSE .clang-format .ci/run bpf/find-clang.sh user/dist/deps.sh \
		tests/run.sh tests/tap.awk tests/lint.sh; do
		mkdir -p "$(dirname "$1/$file")"
		cp "$real/$file" "$1/$file"
	done
	cd "$1" || return 1
	write README.md <<<'# stand-in'
	tree_bpf
	tree_user
	tree_tests
}

tree_bpf() {
	write bpf/story.h <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SF_STORY_H
#define SF_STORY_H

#ifndef __bpf__
#include <linux/types.h>
#endif

struct sf_story {
	__u32 state;
};

#endif
EOF
	write vmlinux/vmlinux.h <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMLINUX_H
#define VMLINUX_H

#include <linux/types.h>

struct sock {
	int unused;
} __attribute__((preserve_access_index));

#endif
EOF
	write bpf/synfin.bpf.c <<'EOF'
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/story.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct sf_story last;

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state, const struct sock *sk, int old, int new)
{
	last.state = new;
	return 0;
}
EOF
}

tree_user() {
	write user/base/text.h <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SF_BASE_TEXT_H
#define SF_BASE_TEXT_H

#define SF_ANSWER 42

int sf_answer(void);

#endif
EOF
	write user/base/text.c <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/text.h"

int sf_answer(void)
{
	return SF_ANSWER;
}
EOF
	write user/kernel/load.h <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SF_KERNEL_LOAD_H
#define SF_KERNEL_LOAD_H

/* Programs in the object, or negative errno. */
int sf_load_count(void);

#endif
EOF
	write user/kernel/load.c <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/load.h"

#include <errno.h>

#include <bpf/libbpf.h>

#include "bpf/story.h"
#include "synfin.skel.h"

int sf_load_count(void)
{
	struct synfin_bpf *skel = synfin_bpf__open();
	struct bpf_program *prog;
	int n = 0;

	if (!skel)
		return -errno;
	bpf_object__for_each_program(prog, skel->obj)
		n++;
	synfin_bpf__destroy(skel);
	return n;
}
EOF
	write user/cmd/show.h <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SF_CMD_SHOW_H
#define SF_CMD_SHOW_H

void sf_cmd_show(void);

#endif
EOF
	write user/cmd/show.c <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/show.h"

#include <stdio.h>

#include "kernel/load.h"

void sf_cmd_show(void)
{
	printf("programs %d\n", sf_load_count());
}
EOF
	write user/main.c <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "base/text.h"
#include "cmd/show.h"

int main(int argc, char **argv)
{
	printf("synfin %s answer %d\n", SF_VERSION, sf_answer());
	if (argc > 1)
		printf("argument %s\n", argv[1]);
	sf_cmd_show();
	return 0;
}
EOF
}

tree_tests() {
	write tests/unit/test_text.c <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"

static void test_answer(void **state)
{
	(void)state;
	assert_int_equal(sf_answer(), 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
EOF
	write tests/net/gen.c <<'EOF'
/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

int main(void)
{
	puts("generated");
	return 0;
}
EOF
	write tests/cli/version.bats <<'EOF'
#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later

@test "says its version" {
	"$SYNFIN" | grep -q '^synfin '
}
EOF
	write tests/net/run.sh <<'EOF'
#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
echo 1..2
[ "$("$SFGEN")" = generated ] && echo 'ok 1 - sfgen'
echo 'ok 2 - namespaces # SKIP no CAP_NET_ADMIN'
EOF
	write tests/vm/matrix.sh <<'EOF'
#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
"$SYNFIN_STATIC" | grep -q '^programs 1' && echo 'ok 1 - the static program runs'
echo 1..1
EOF
	chmod +x tests/net/run.sh tests/vm/matrix.sh
}
