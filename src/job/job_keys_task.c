/* Keys of a job file: the model, what is learnt, and the data. */
#include "coppice/chat/chat.h"
#include "job/job_keys_table.h"

enum { MOST_EXAMPLES = 10000000 };

static const cop_job_key keys[] = {
    {.name = "model",
     .type = COP_JOB_PATH,
     .offset = FIELD(model),
     .example = "models/Qwen2.5-0.5B-Instruct",
     .meaning =
         "Directory of the base model in Hugging Face layout: config.json, tokenizer.json "
         "and safetensors."},
    {.name = "method",
     .type = COP_JOB_STRING,
     .offset = FIELD(method),
     .initial = "corp",
     .choices = CHOICES("corp", "rounds", "es", "randopt"),
     .meaning =
         "What becomes of the population. corp: merged, then recentred; rounds: small "
         "populations in a row, the centre moved after each; es: the classical evolution "
         "strategy; randopt: its best candidates vote, nothing is merged."},
    {.name = "task.name",
     .type = COP_JOB_STRING,
     .offset = FIELD(task.name),
     .example = "gsm8k",
     .meaning = "Which prompts and rewards are used."},
    {.name = "task.data",
     .type = COP_JOB_PATH,
     .offset = FIELD(task.data),
     .example = "data/gsm8k-train.jsonl",
     .meaning = "Data set: JSON lines, one object for each example."},
    {.name = "task.fields",
     .type = COP_JOB_FIELDS,
     .offset = FIELD(task.fields),
     .initial = "{}",
     .may_be_empty = true,
     .meaning = "What the data calls the task's fields where it does not use the task's names, "
                "for example {question: problem}. \"a.b\" is field b of the object a, \"a.0\" "
                "the first of the list a. 'coppice tasks' lists each task's fields."},
    {.name = "task.prompt.system",
     .type = COP_JOB_STRING,
     .offset = FIELD(task.system),
     .initial = "null",
     .may_be_empty = true,
     .meaning =
         "System message, a template over the data's {fields}; absent: the task's default; "
         "\"\": none."},
    {.name = "task.prompt.user",
     .type = COP_JOB_STRING,
     .offset = FIELD(task.user),
     .initial = "null",
     .may_be_empty = true,
     .meaning =
         "User message, a template over the data's {fields}; absent: the task's default. "
         "\"task.prompt: text\" means the same."},
    {.name = "task.prompt.assistant",
     .type = COP_JOB_STRING,
     .offset = FIELD(task.assistant),
     .initial = "null",
     .may_be_empty = true,
     .meaning =
         "Answer of a few-shot example, a template over its {fields}; absent: the task's "
         "default, where it has one."},
    {.name = "task.prompt.date",
     .type = COP_JOB_STRING,
     .offset = FIELD(task.date),
     .initial = COP_CHAT_DEFAULT_DATE,
     .check = cop_chat_check_date,
     .meaning =
         "The day, YYYY-MM-DD, that a chat template gets which asks for today's date: the "
         "same in every run of the job."},
    {.name = "task.chat",
     .type = COP_JOB_STRING,
     .offset = FIELD(task.chat),
     .initial = "auto",
     .meaning =
         "auto: prompts are made by the model's own chat template; without one they are plain, "
         "and a warning says so. Otherwise the family whose "
         "rules make them, for a model without a template; \"plain\" adds nothing."},
    {.name = "task.examples",
     .type = COP_JOB_PATH,
     .offset = FIELD(task.examples),
     .initial = "null",
     .meaning =
         "Few-shot examples: JSON lines with the fields of the data (task.fields holds for "
         "them too). It may be the data set itself: they are then drawn from the front of "
         "the support set."},
    {.name = "task.shots",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(task.shots),
     .initial = "0",
     .least = 0,
     .most = 1000,
     .unit = "examples",
     .meaning =
         "Few-shot examples before each question, as earlier turns of the conversation: the "
         "first of task.examples in the order that splits.seed gives, the question itself "
         "left out."},
    {.name = "task.command",
     .type = COP_JOB_STRINGS,
     .offset = FIELD(task.command),
     .initial = "[]",
     .may_be_empty = true,
     .is_command = true,
     .meaning =
         "Task exec: program and arguments that score the responses, such as [python3, "
         "./reward.py]. A program with a slash, and an argument that begins with ./ or ../, is "
         "a path like the others; the program runs where the job was started."},
    {.name = "task.timeout",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(task.timeout),
     .initial = "0",
     .low = 0,
     .high = 1e6,
     .unit = "s",
     .describes_run = true,
     .meaning = "Tasks that are scored by a process: longest time for one response; 0: the "
                "task's default (exec: 60, mbpp: 10, counted in processor time)."},
    {.name = "task.correct_at",
     .type = COP_JOB_NUMBER,
     .offset = FIELD(task.correct_at),
     .initial = "auto",
     .word = "auto",
     .low = -1e6,
     .high = 1e6,
     .unit = "reward",
     .meaning = "An example counts as right if its reward is at least this, which may be any "
                "number; auto: the task's own value (1, where nothing else is said)."},

    {.name = "splits.support",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(splits.support),
     .initial = "500",
     .least = 1,
     .most = MOST_EXAMPLES,
     .unit = "examples",
     .meaning = "Examples that give the candidates their rewards."},
    {.name = "splits.probe",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(splits.probe),
     .initial = "100",
     .least = 1,
     .most = MOST_EXAMPLES,
     .unit = "examples",
     .meaning = "Examples for choosing among proposals and step sizes."},
    {.name = "splits.validate",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(splits.validate),
     .initial = "200",
     .least = 2,
     .most = MOST_EXAMPLES,
     .unit = "examples",
     .meaning =
         "Examples that the gate decides on, and that nothing else sees; two at least, for "
         "the gate needs their spread."},
    {.name = "splits.test",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(splits.test),
     .initial = "400",
     .least = 0,
     .most = MOST_EXAMPLES,
     .unit = "examples",
     .meaning = "Examples that are reported at the end and never decided on; 0: none."},
    {.name = "splits.seed",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(splits.seed),
     .initial = "0",
     .least = -1,
     .most = INT64_MAX,
     .meaning = "Seed of the permutation that divides the data set; -1: file order."},
    {.name = "splits.drop_uninformative",
     .type = COP_JOB_BOOLEAN,
     .offset = FIELD(splits.drop_uninformative),
     .initial = "false",
     .meaning =
         "Support examples that all or none of the first splits.drop_after candidates solve "
         "(where rewards decide: that earn them all the same) tell no candidate from another "
         "and are replaced, once, by examples that no split uses, as far as there are such. "
         "Means on support are then of other examples than the base's first ones."},
    {.name = "splits.drop_after",
     .type = COP_JOB_INTEGER,
     .offset = FIELD(splits.drop_after),
     .initial = "16",
     .least = 2,
     .most = 10000,
     .unit = "candidates",
     .meaning = "With splits.drop_uninformative: the first candidates of the population that "
                "decide; a smaller population decides as a whole."},
};

const cop_job_key_table cop_job_keys_task = KEY_TABLE(keys);
