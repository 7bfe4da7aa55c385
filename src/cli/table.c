/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <err.h>
#include <string.h>

#include "text.h"

static char *keep(const char *s, size_t len)
{
        char *copy = strndup(s, len);

        if (!copy)
                err(1, "out of memory");
        return copy;
}

void table_init(struct table *t, const char *titles)
{
        *t = (struct table){.columns = 0};
        while (t->columns < TABLE_COLUMNS) {
                size_t n = strcspn(titles, "|");
                bool right = *titles == '>';

                t->right[t->columns] = right;
                t->titles[t->columns++] = keep(titles + right, n - right);
                if (!titles[n])
                        break;
                titles += n + 1;
        }
}

void table_release(struct table *t)
{
        for (unsigned c = 0; c < t->columns; c++)
                free((char *)t->titles[c]);
        for (size_t i = 0; i < t->rows * t->columns; i++)
                free(t->cells[i]);
        free(t->cells);
        *t = (struct table){.columns = 0};
}

void table_add(struct table *t, const char *const *cells)
{
        char plain[4096];

        if (t->rows == t->room) {
                t->room = t->room ? t->room * 2 : 16;
                t->cells = reallocarray(t->cells, t->room * t->columns,
                                        sizeof(*t->cells));
                if (!t->cells)
                        err(1, "out of memory");
        }
        for (unsigned c = 0; c < t->columns; c++) {
                text_plain(plain, sizeof(plain), cells[c]);
                t->cells[t->rows * t->columns + c] = keep(plain, sizeof(plain));
        }
        t->rows++;
}

static void print_cell(FILE *f, const char *s, size_t width, bool right,
                       bool last)
{
        size_t pad = width - text_width(s);

        fprintf(f, "%*s%s%*s%s", right ? (int)pad : 0, "", s,
                right || last ? 0 : (int)pad, "", last ? "\n" : "  ");
}

void table_print(const struct table *t, FILE *f)
{
        size_t width[TABLE_COLUMNS];

        for (unsigned c = 0; c < t->columns; c++) {
                width[c] = text_width(t->titles[c]);
                for (size_t r = 0; r < t->rows; r++) {
                        const char *cell = t->cells[r * t->columns + c];

                        width[c] = max_u64(width[c], text_width(cell));
                }
        }
        for (unsigned c = 0; c < t->columns; c++)
                print_cell(f, t->titles[c], width[c], t->right[c],
                           c + 1 == t->columns);
        for (size_t i = 0; i < t->rows * t->columns; i++) {
                unsigned c = (unsigned)(i % t->columns);

                print_cell(f, t->cells[i], width[c], t->right[c],
                           c + 1 == t->columns);
        }
}
