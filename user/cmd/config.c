// SPDX-License-Identifier: GPL-2.0-or-later
/* Each line becomes the option that it stands for, and is parsed by the options' own table. */
#include "cmd/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/opts.h"
#include "base/text.h"
#include "base/util.h"

#define SIZE_MAX_BYTES (256 * 1024)

/* They make sense on a command line only. */
static const char *const refused[] = { "config", "help", "version", "read", "write" };

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && strchr(" \t\r", end[-1]))
		*--end = '\0';
	return text + strspn(text, " \t");
}

static const struct sf_opt *find_option(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (!strcmp(key, refused[i]))
			return NULL;
	for (const struct sf_opt *opt = sf_option_table; opt->long_name; opt++)
		if (!strcmp(key, opt->long_name))
			return opt;
	return NULL;
}

/* value: behind "KEY =", in place: options point there. */
static int apply(const struct sf_opt *opt, char *value, struct sf_options *options, char *err,
		 size_t err_size)
{
	char name[64];
	char *argv[] = { NULL, name, value, NULL };
	bool is_flag = !opt->arg_name;
	int first;

	snprintf(name, sizeof(name), "--%s", opt->long_name);
	if (is_flag && !strcmp(value, "no"))
		return 0;
	if (is_flag && strcmp(value, "yes") != 0)
		return snprintf(err, err_size, "'%s' wants yes or no", opt->long_name), -EINVAL;
	return sf_opts_parse(sf_option_table, is_flag ? 2 : 3, argv, options, &first, err,
			     err_size);
}

static int parse_line(char *line, struct sf_options *options, char *err, size_t err_size)
{
	char *equals, *key, *value;
	const struct sf_opt *opt;
	char safe[64];

	line = trim(line);
	if (!*line || *line == '#')
		return 0;
	equals = strchr(line, '=');
	if (!equals)
		return snprintf(err, err_size, "want KEY = VALUE"), -EINVAL;
	*equals = '\0';
	key = trim(line);
	value = trim(equals + 1);
	opt = find_option(key);
	sf_text_safe(safe, sizeof(safe), key, strlen(key));
	if (!opt)
		return snprintf(err, err_size,
				"no such key: '%s'; want the long name of an option, see "
				"synfin.conf(5)",
				safe),
		       -EINVAL;
	if (!*value)
		return snprintf(err, err_size, "'%s' has no value", safe), -EINVAL;
	return apply(opt, value, options, err, err_size);
}

int sf_config_parse(const char *name, char *text, struct sf_options *options, char *err,
		    size_t err_size)
{
	unsigned int number = 0;
	char why[512], *line;

	while ((line = strsep(&text, "\n"))) {
		number++;
		if (parse_line(line, options, why, sizeof(why)))
			return snprintf(err, err_size, "%s:%u: %s", name, number, why), -EINVAL;
	}
	return 0;
}

static int read_text(const char *path, char **ret)
{
	_cleanup_(sf_closep) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_(sf_freep) char *text = malloc(SIZE_MAX_BYTES + 1);
	size_t len = 0;
	struct stat st;
	ssize_t n = 1;

	if (!text)
		return -ENOMEM;
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	while (n && len < SIZE_MAX_BYTES) {
		n = read(fd, text + len, SIZE_MAX_BYTES - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	if (n)
		return -EFBIG;
	text[len] = '\0';
	if (strlen(text) != len)
		return -EINVAL;
	*ret = TAKE_PTR(text);
	return 0;
}

int sf_config_read(const char *path, struct sf_options *options, struct sf_config_text *ret,
		   char *err, size_t err_size)
{
	char *text = NULL;
	int r = read_text(path, &text);

	if (r)
		return snprintf(err, err_size, "cannot read %s: %s", path,
				r == -EINVAL ? "it is no text file" :
				r == -EFBIG  ? "it is larger than 256 KiB" :
					       strerror(-r)),
		       r;
	r = sf_config_parse(path, text, options, err, err_size);
	if (r)
		free(text);
	else
		ret->text = text;
	return r;
}

int sf_config_load(const char *path, int argc, char **argv, struct sf_options *options,
		   struct sf_config_text *ret, char *err, size_t err_size)
{
	int first, r = 0;

	sf_options_init(options);
	if (path)
		r = sf_config_read(path, options, ret, err, err_size);
	if (!r)
		r = sf_opts_parse(sf_option_table, argc, argv, options, &first, err, err_size);
	if (!r)
		r = sf_options_settle(options, err, err_size);
	options->argc = argc;
	options->argv = argv;
	if (r)
		sf_config_clear(ret);
	return r;
}

void sf_config_clear(struct sf_config_text *text)
{
	free(text->text);
	text->text = NULL;
}
