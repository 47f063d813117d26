/** \file timer.h
 * Time by the monotonic clock.
 */
#ifndef COPPICE_BASE_TIMER_H
#define COPPICE_BASE_TIMER_H

#include <stddef.h>

/** Seconds since an arbitrary point; never goes back, unaffected by the wall clock. */
double cop_timer_now_s(void);

/** Sleeps at least `seconds`; returns early on a signal. */
void cop_timer_sleep(double seconds);

/** Wall-clock time as "2026-01-31T12:34:56Z" in `text` [size >= 21]. */
void cop_timer_utc(char *text, size_t size);

/** A duration for people: "8 s", "3:07", "2:15:09"; "?" if it is no number or over thirty
 * years. `text` [size >= 16]. */
void cop_timer_format(char *text, size_t size, double seconds);

#endif
