/** \file reaper.h
 * What a rank and coppice-reaper agree on. The reaper's arguments: the number of the process
 * that starts it, the program's path, the words of the command.
 */
#ifndef COPPICE_REAPER_REAPER_H
#define COPPICE_REAPER_REAPER_H

/** Descriptors that it is given besides the command's standard streams. */
enum {
    /** A pipe's end to read from: when no writer is left, the command and all that it has
     * started are killed. */
    COP_REAPER_CONTROL = 3,
    /** A pipe's end to write to: an int if there was no start, the error number of the
     * command's program, or the negative one of what the reaper needs. Closed by the start. */
    COP_REAPER_REPORT = 4,
    COP_REAPER_DESCRIPTORS = 5
};

#endif
