/* netcc man (hidden): the man page as troff. What the commands are comes from their tables, what
 * stands around them from templates/man. */
#include "cli/cli.h"

#include <stdio.h>

#include "embedded.h"

static const Option options[] = {OPTION_END};

/* Hyphens and backslashes mean something to troff, and so does a point that begins a line. */
static void put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
    }
}

static void put_font(char font, const char *text)
{
    printf("\\f%c", font);
    put_text(text);
    fputs("\\fR", stdout);
}

static void put_option(const Option *option)
{
    fputs(".TP\n", stdout);
    if (option->letter)
        printf("\\fB\\-%c\\fR, ", option->letter);
    fputs("\\fB\\-\\-\\fR", stdout);
    put_font('B', option->name);
    if (option->argument) {
        putchar(' ');
        put_font('I', option->argument);
    }
    putchar('\n');
    put_text(option->help);
    puts(option->required ? " (required)" : "");
}

static void put_command(const Command *command)
{
    fputs(".SS netcc ", stdout);
    put_text(command->name);
    if (command->operand) {
        putchar(' ');
        put_font('I', command->operand);
    }
    putchar('\n');
    put_text(command->help);
    putchar('\n');
    for (const Option *o = command->options; o->name; o++) {
        if (o->type != OPTION_LATER)
            put_option(o);
    }
}

static int run(const Args *args)
{
    (void)args;
    printf(".TH NETCC 1 \"\" \"netcc %s\" \"User Commands\"\n", NETCC_VERSION);
    fputs(embedded_text("templates/man", "head.1"), stdout);
    puts(".SH COMMANDS\nEvery command knows \\fB\\-\\-help\\fR.");
    for (const Command *const *c = shown_commands; *c; c++)
        put_command(*c);
    fputs(embedded_text("templates/man", "tail.1"), stdout);
    return EXIT_DONE;
}

const Command command_man = {"man", NULL, "The man page, as troff.", options, run};
