// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks terminals what they can, draws the status line. What to tell is the caller's matter. */
#include "cmd/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "base/util.h"
#include "cmd/options.h"
#include "view/view.h"

#define ERASE "\r\033[K"

unsigned int sf_terminal_columns(void)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");
	uint64_t width;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	if (columns && !sf_parse_u64(columns, SF_VIEW_WIDTH_MIN, SF_VIEW_WIDTH_MAX, &width))
		return width;
	return 80;
}

/* As TERM says; one that is not described is taken for one that cannot. */
static bool has_escapes(void)
{
	const char *term = getenv("TERM");

	return term && *term && strcmp(term, "dumb");
}

bool sf_terminal_wants_color(const struct sf_options *options)
{
	const char *no_color = getenv("NO_COLOR");

	if (options->color != SF_COLOR_AUTO)
		return options->color == SF_COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && has_escapes() && !(no_color && *no_color);
}

void sf_status_init(struct sf_status *status)
{
	*status = (struct sf_status){
		.is_wanted = sf_log_verbosity() >= SF_NORMAL && isatty(STDERR_FILENO) &&
			     has_escapes(),
		.shares_terminal = isatty(STDOUT_FILENO),
	};
}

/* Of standard error's terminal: standard output may be another one, or none. */
static size_t columns(void)
{
	struct winsize size;

	return !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
}

void sf_status_draw(struct sf_status *status, const char *text)
{
	char line[256];
	/* some terminals wrap as soon as the last column is written */
	int n, width = (int)sf_min_size(columns() - 1, sizeof(line) - sizeof(ERASE));

	if (!status->is_wanted)
		return;
	n = snprintf(line, sizeof(line), ERASE "%.*s", width, text);
	if (n > 0)
		sf_log_status(line, sf_min_size((size_t)n, sizeof(line) - 1));
	status->is_drawn = true;
}

void sf_status_erase(struct sf_status *status)
{
	if (status->is_drawn)
		sf_log_status(ERASE, strlen(ERASE));
	status->is_drawn = false;
}
