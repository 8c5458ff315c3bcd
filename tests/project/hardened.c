/* hardened.c - a program with something to protect, for check_hardening.py. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    char name[16], text[64];
    if (argc > 1) return 1;
    strncpy(name, argv[0], sizeof name - 1);
    name[sizeof name - 1] = 0;
    return sprintf(text, "program %s", name) < 0 || puts(text) < 0;
}
