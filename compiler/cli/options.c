/* Options: a command's table is all that parsing, usage messages and --help know. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spelling.h"

enum { MOST_OPTIONS = 32, MOST_COMMANDS = 64, HELP_COLUMN = 30 };

static int option_count(const Option *options)
{
    int count = 0;
    while (options[count].name)
        count++;
    return count;
}

/* ---- help -------------------------------------------------------------------------------------- */

static void print_option(const Option *option)
{
    char left[80], letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    printf("%-*s %s%s\n", HELP_COLUMN, left, option->help, option->required ? " (required)" : "");
}

static int help_command(const Command *command)
{
    printf("netcc %s%s%s [options]\n%s\n\n", command->name, command->operand ? " " : "",
           command->operand ? command->operand : "", command->help);
    for (const Option *o = command->options; o->name; o++) {
        if (o->type != OPTION_LATER)
            print_option(o);
    }
    printf("%-*s %s\n", HELP_COLUMN, "  --help", "this text");
    return EXIT_DONE;
}

static int help_all(void)
{
    printf("netcc compiles a neural network written in YAML into C that infers and trains.\n\n"
           "usage: netcc COMMAND ... [options]\n\n");
    for (const Command *const *c = shown_commands; *c; c++) {
        char left[80];
        snprintf(left, sizeof left, "  %s %s", (*c)->name, (*c)->operand ? (*c)->operand : "");
        printf("%-*s %s\n", HELP_COLUMN, left, (*c)->help);
    }
    printf("\n'netcc COMMAND --help' tells a command's options; 'netcc --version' the version.\n");
    return EXIT_DONE;
}

/* ---- parsing ----------------------------------------------------------------------------------- */

/* What is left of the command line, for which command */
typedef struct {
    const Command *command;
    char **words;
    int count, at;
    Args *args;
    bool only_operands; /* after "--" */
} Parse;

__attribute__((format(printf, 2, 3))) static bool complain(const Parse *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "netcc %s: ", p->command->name);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    return false;
}

static bool unknown_option(const Parse *p, const char *name)
{
    const char *names[MOST_OPTIONS];
    int count = option_count(p->command->options);
    for (int i = 0; i < count; i++)
        names[i] = p->command->options[i].name;
    const char *near = nc_nearest_spelling(name, names, count);
    if (near)
        return complain(p, "unknown option '--%s'; did you mean '--%s'?", name, near);
    return complain(p, "unknown option '--%s'; 'netcc %s --help' lists them", name,
                    p->command->name);
}

static bool read_number(const Parse *p, const Option *option, const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || end == text || value < option->low || value > UINT32_MAX)
        return complain(p, "--%s takes a whole number from %lld to %lld, not '%s'", option->name,
                        (long long)option->low, (long long)UINT32_MAX, text);
    *out = value;
    return true;
}

static bool read_choice(const Parse *p, const Option *option, const char *text, int64_t *out)
{
    size_t length = strlen(text);
    int64_t position = 0;
    for (const char *c = option->argument; c; position++) {
        if (length && strncmp(c, text, length) == 0 && (c[length] == '|' || !c[length])) {
            *out = position;
            return true;
        }
        c = strchr(c, '|');
        c = c ? c + 1 : NULL;
    }
    return complain(p, "--%s takes %s, not '%s'", option->name, option->argument, text);
}

static bool add_text(const Parse *p, const Option *option, const char *text, Texts *texts)
{
    if (texts->count == MOST_REPEATS)
        return complain(p, "--%s is given too often", option->name);
    texts->items[texts->count++] = text;
    return true;
}

static bool store(const Parse *p, const Option *option, const char *text)
{
    void *field = (char *)p->args + option->at;
    switch (option->type) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return true;
    case OPTION_TEXT:
        *(const char **)field = text;
        return true;
    case OPTION_TEXTS:
        return add_text(p, option, text, field);
    case OPTION_NUMBER:
        return read_number(p, option, text, field);
    case OPTION_CHOICE:
        return read_choice(p, option, text, field);
    case OPTION_LATER:
        break;
    }
    return complain(p, "--%s is not in this build", option->name);
}

const Option *option_match(const Command *command, const char *word, const char **value)
{
    const char *name = word + 2, *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    for (const Option *o = command->options; o->name; o++) {
        if (word[1] == '-' && strlen(o->name) == length && !memcmp(o->name, name, length)) {
            *value = equals ? equals + 1 : NULL;
            return o;
        }
        if (word[1] != '-' && o->letter == word[1] && !word[2])
            return o;
    }
    return NULL;
}

static bool take_option(Parse *p)
{
    const char *word = p->words[p->at++], *value = NULL;
    const Option *option = option_match(p->command, word, &value);
    if (!option)
        return word[1] == '-' ? unknown_option(p, word + 2)
                              : complain(p, "unknown option '%s'", word);
    if (!option->argument && value)
        return complain(p, "--%s takes no value", option->name);
    if (option->argument && !value && option->type != OPTION_LATER) {
        if (p->at == p->count)
            return complain(p, "--%s needs a value", option->name);
        value = p->words[p->at++];
    }
    return store(p, option, value);
}

static bool take_operand(Parse *p)
{
    const char *word = p->words[p->at++];
    if (!p->command->operand || p->args->operand)
        return complain(p, "'%s' is one argument too many", word);
    p->args->operand = word;
    return true;
}

static bool take_word(Parse *p)
{
    const char *word = p->words[p->at];
    bool option = word[0] == '-' && word[1] && !p->only_operands;
    if (option && !strcmp(word, "--")) {
        p->only_operands = true;
        p->at++;
        return true;
    }
    return option ? take_option(p) : take_operand(p);
}

static bool is_given(const Args *args, const Option *option)
{
    const void *field = (const char *)args + option->at;
    return option->type == OPTION_TEXTS ? ((const Texts *)field)->count > 0
                                        : *(const char *const *)field != NULL;
}

static bool is_complete(const Parse *p)
{
    const Command *c = p->command;
    if (c->operand && c->operand[0] != '[' && !p->args->operand)
        return complain(p, "%s is missing", c->operand);
    for (const Option *o = c->options; o->name; o++) {
        if (o->required && !is_given(p->args, o))
            return complain(p, "--%s is missing", o->name);
    }
    return true;
}

static int run_command(const Command *command, int count, char **words)
{
    Args args = {.seed = -1};
    Parse parse = {.command = command, .words = words, .count = count, .args = &args};
    for (int i = 0; i < count && strcmp(words[i], "--") != 0; i++) {
        if (!strcmp(words[i], "--help"))
            return help_command(command);
    }
    while (parse.at < count) {
        if (!take_word(&parse))
            return EXIT_USAGE;
    }
    return is_complete(&parse) ? command->run(&args) : EXIT_USAGE;
}

static int unknown_command(const char *word)
{
    const char *names[MOST_COMMANDS];
    int count = 0;
    for (const char *const *l = later_commands; *l; l++) {
        if (!strcmp(word, *l)) {
            fprintf(stderr, "netcc: '%s' is not in this build\n", word);
            return EXIT_USAGE;
        }
    }
    while (shown_commands[count] && count < MOST_COMMANDS) {
        names[count] = shown_commands[count]->name;
        count++;
    }
    const char *near = nc_nearest_spelling(word, names, count);
    fprintf(stderr, "netcc: unknown command '%s'", word);
    if (near)
        fprintf(stderr, "; did you mean '%s'?\n", near);
    else
        fprintf(stderr, "; 'netcc --help' lists the commands\n");
    return EXIT_USAGE;
}

const Command *command_find(const char *name)
{
    for (const Command *const *c = shown_commands; *c; c++) {
        if (!strcmp(name, (*c)->name))
            return *c;
    }
    for (const Command *const *c = hidden_commands; *c; c++) {
        if (!strcmp(name, (*c)->name))
            return *c;
    }
    return NULL;
}

int run_command_line(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    if (!word) {
        fprintf(stderr, "usage: netcc COMMAND ... [options]; 'netcc --help' lists the commands\n");
        return EXIT_USAGE;
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help"))
        return help_all();
    if (!strcmp(word, "--version")) {
        printf("netcc %s\n", NETCC_VERSION);
        return EXIT_DONE;
    }
    const Command *command = command_find(word);
    return command ? run_command(command, argc - 2, argv + 2) : unknown_command(word);
}
