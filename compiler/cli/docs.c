/* netcc schema, and the hidden netcc docs: what a spec can hold, for editors and for people. */
#include "cli/cli.h"

#include <stdio.h>

#include "reference.h"
#include "schema.h"

static const Option options[] = {OPTION_END};

static int run_docs(const Args *args)
{
    (void)args;
    Arena *arena = arena_new();
    Str page = str_new(arena);
    write_reference(&page);
    fputs(page.text, stdout);
    arena_free(arena);
    return EXIT_DONE;
}

const Command command_docs = {"docs", NULL, "The reference of specs, as Markdown.", options,
                              run_docs};

static int run_schema(const Args *args)
{
    (void)args;
    Arena *arena = arena_new();
    json_t *schema = schema_of_spec(arena);
    json_dumpf(schema, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(schema);
    arena_free(arena);
    return EXIT_DONE;
}

const Command command_schema = {"schema", NULL, "A JSON Schema of specs, for editors.", options,
                                run_schema};
