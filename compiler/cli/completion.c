/* netcc completion: a shell's completion script. The scripts hold no knowledge: they hand the words
 * typed so far to the hidden `netcc complete`, which answers from the option table, a line each:
 * `word<TAB>help`, and last what kind of file may stand there as well: `:files`, `:specs` (YAML) or
 * `:folders`. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "embedded.h"
#include "records/record.h"

/* ---- the script -------------------------------------------------------------------------------- */

static const Option no_options[] = {OPTION_END};

static int run_completion(const Args *args)
{
    char name[32];
    snprintf(name, sizeof name, "netcc.%s", args->operand);
    const char *text = embedded_text("templates/completion", name);
    if (!text) {
        fprintf(stderr, "netcc completion: expected bash, zsh or fish, not '%s'\n", args->operand);
        return EXIT_USAGE;
    }
    fputs(text, stdout);
    return EXIT_DONE;
}

const Command command_completion = {"completion", "bash|zsh|fish",
                                    "A shell's completion script, on stdout.", no_options,
                                    run_completion};

/* ---- answers ----------------------------------------------------------------------------------- */

/* What stands before the cursor */
typedef struct {
    const Command *command;
    const Option *pending; /* it waits for the current word as its value */
    bool operand;          /* it is given already */
    const char *current;
} Cursor;

/* Answers `lead` + word if it starts with what is typed. */
static void answer(const char *typed, const char *lead, const char *word, size_t length,
                   const char *help)
{
    size_t known = strlen(typed);
    if (known <= length && !strncmp(word, typed, known))
        printf("%s%.*s\t%s\n", lead, (int)length, word, help);
}

static void answer_word(const char *typed, const char *lead, const char *word, const char *help)
{
    answer(typed, lead, word, strlen(word), help);
}

static void answer_commands(const char *typed)
{
    for (const Command *const *c = shown_commands; *c; c++)
        answer_word(typed, "", (*c)->name, (*c)->help);
    if (*typed == '-') {
        answer_word(typed, "", "--help", "the commands");
        answer_word(typed, "", "--version", "the version");
    }
}

static void answer_options(const Cursor *at)
{
    for (const Option *o = at->command->options; o->name; o++) {
        char word[80];
        snprintf(word, sizeof word, "--%s", o->name);
        if (o->type != OPTION_LATER)
            answer_word(at->current, "", word, o->help);
    }
    answer_word(at->current, "", "--help", "this command's options");
}

/* a|b|c */
static void answer_choices(const char *typed, const char *lead, const char *choices)
{
    while (*choices) {
        size_t length = strcspn(choices, "|");
        answer(typed, lead, choices, length, "");
        choices += length + (choices[length] == '|');
    }
}

static void answer_passes(const char *typed, const char *lead)
{
    for (int i = 0; pass_names[i]; i++)
        answer_word(typed, lead, pass_names[i], "");
}

static void answer_records(const char *typed)
{
    static const Family *const families[] = {&layers, &losses, &metrics, &optimizers,
                                             &initializers};
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        for (int i = 0; i < families[f]->count; i++)
            answer_word(typed, "", families[f]->records[i]->name, families[f]->what);
    }
    for (int i = 0; i < OP_COUNT; i++) {
        if (op_table[i]->activation && !record_find(&layers, op_table[i]->name))
            answer_word(typed, "", op_table[i]->name, "activation");
    }
}

/* `what` is how --help writes the value: FILE, DIR, SPEC, a|b|c, ... */
static void answer_value(const char *what, const char *typed, const char *lead)
{
    if (strchr(what, '|'))
        answer_choices(typed, lead, what);
    else if (!strcmp(what, "PASS"))
        answer_passes(typed, lead);
    else if (!strcmp(what, "[NAME]"))
        answer_records(typed);
    else if (!strcmp(what, "SPEC"))
        puts(":specs");
    else if (!strcmp(what, "DIR"))
        puts(":folders");
    else if (strstr(what, "FILE") || !strcmp(what, "EXE"))
        puts(":files");
}

static void pass_word(Cursor *at, const char *word)
{
    const char *value = NULL;
    if (at->pending) {
        at->pending = NULL;
    } else if (*word == '-' && word[1]) {
        const Option *option = option_match(at->command, word, &value);
        at->pending = option && option->argument && !value ? option : NULL;
    } else {
        at->operand = true;
    }
}

static void answer_at(const Cursor *at)
{
    const char *current = at->current, *equals = strchr(current, '='), *value = NULL;
    char lead[80] = "";
    if (at->pending) {
        answer_value(at->pending->argument, current, lead);
    } else if (*current == '-' && equals) {
        const Option *option = option_match(at->command, current, &value);
        snprintf(lead, sizeof lead, "%.*s", (int)(equals + 1 - current), current);
        if (option && option->argument)
            answer_value(option->argument, equals + 1, lead);
    } else if (*current == '-' || at->operand || !at->command->operand) {
        answer_options(at);
    } else {
        answer_value(at->command->operand, current, lead);
    }
}

static int run_complete(const Args *args)
{
    const Texts *words = &args->words;
    Cursor at = {.current = words->count ? words->items[words->count - 1] : ""};
    if (words->count <= 1) {
        answer_commands(at.current);
        return EXIT_DONE;
    }
    at.command = command_find(words->items[0]);
    if (!at.command)
        return EXIT_DONE;
    for (int i = 1; i < words->count - 1; i++)
        pass_word(&at, words->items[i]);
    answer_at(&at);
    return EXIT_DONE;
}

static const Option complete_options[] = {
    {"word", 0, OPTION_TEXTS, offsetof(Args, words), "WORD",
     "a word of the command line; the last is being typed", 0, false},
    OPTION_END,
};

const Command command_complete = {"complete", NULL, "What can stand next on a command line.",
                                  complete_options, run_complete};
