#!/usr/bin/env python3
"""Makes tests/data/jinja.json: templates, and what jinja2 as transformers sets it up makes of them, or that it
refuses them. Run with jinja2 and transformers installed (the file names their versions):

    python3 tests/data/make_jinja.py >tests/data/jinja.json
"""
import datetime
import json
import sys

import jinja2
import transformers
from transformers.utils import chat_template_utils

VARIABLES = {
    "messages": [{"role": "system", "content": "  Sys  "}, {"role": "user", "content": "Hi \u00e9\n \u00fcn\u00ef"},
                 {"role": "assistant", "content": "<think>a</think>b"}, {"role": "user", "content": "bye\n\n"}],
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True, "tools": None, "documents": None,
    "n": 7, "f": 2.5, "t": True, "d": {"b": 1, "A": [1, 2, "x"], "c": {"k": None}}, "l": [3, 1, 2, "B", "a"],
    "nums": [5, 2, 9, 2], "words": ["b", "A", "c", "a"], "e": "",
    "users": [{"name": "bob", "age": 3}, {"name": "Al", "age": 1, "x": {"y": [1, 2]}}]}

# One template a line.
LINES = r'''
{{ 1 }}|{{ 1.0 }}|{{ 1e16 }}|{{ 1e-5 }}|{{ 0.1+0.2 }}|{{ 123456789.123 }}|{{ 1/3 }}|{{ 7//2 }}|{{ -7//2 }}|{{ -7%3 }}|{{ 2**10 }}|{{ 2**-1 }}|{{ 2**3**2 }}|{{ -2**2 }}
{{ true }}|{{ none }}|{{ True and 'x' }}|{{ '' or 'y' }}|{{ not '' }}|{{ none is none }}|{{ 10_000 }}{{ 0x1F }}{{ 0b101 }}{{ 0o17 }}{{ 1_0.5 }}{{ 1.5e3 }}
{{ [1,'a',"it's",none,true,1.5,{'a':1}] }}|{{ (1,) }}|{{ () }}|{{ (1,2) }}|{{ {'a':[1]} }}|{{ ['a\nb\t\\ \x01 \u200b \U0001F600'] }}
{{ 'a\nb\t\\ \x41 é \d' }}|{{ "a" "b" 'c' }}|{{ 'a' 'b' ~ 'c' }}
{{ d }}|{{ d.A }}|{{ d['A'][2] }}|{{ d.zzz }}|{{ d.c.k }}|{{ users.0.name }}{{ users[1].x.y[0] }}|{{ d['items'] is defined }}
{{ l[1:] }}|{{ l[::-1] }}|{{ l[-2:] }}|{{ 'hello'[1:3] }}|{{ 'hello'[::-1] }}|{{ 'hello'[-1] }}|{{ l[100] }}|{{ 'héllo'[1] }}|{{ l[5:1:-2] }}|{{ l[-100:100:2] }}|{{ 'héllo'[::2] }}
{{ messages|length }}|{{ messages[0].content|trim }}|{{ messages[1].content|upper }}|{{ messages[1]['content']|title }}|{{ (messages|last).role }}
{{ d|tojson }}|{{ d|tojson(indent=2) }}|{{ 'é<>&"\'\n\x01\x7f'|tojson }}|{{ d|tojson(sort_keys=true) }}|{{ 'é😀\x7f'|tojson(true) }}|{{ d|tojson(separators=(',',':')) }}|{{ []|tojson(indent=2) }}|{{ {1:2,none:3,true:4,1.5:5}|tojson }}
{{ words|join(', ') }}|{{ users|join(',', attribute='name') }}|{{ words|sort|join }}|{{ words|sort(reverse=true)|join }}|{{ words|sort(case_sensitive=true)|join }}|{{ users|sort(attribute='age')|map(attribute='name')|join(',') }}
{{ d|dictsort }}|{{ d|dictsort(true) }}|{{ {'a':2,'b':1}|dictsort(by='value') }}|{{ {'a':2,'b':1}|dictsort(false,'value',true) }}
{{ nums|unique|list }}|{{ nums|min }}|{{ nums|max }}|{{ nums|sum }}|{{ users|sum(attribute='age') }}|{{ words|max }}|{{ []|max }}|{{ nums|first }}|{{ nums|last }}|{{ []|first }}|{{ e|first }}
{{ users|selectattr('x')|list }}|{{ users|selectattr('age','equalto',3)|list }}|{{ users|rejectattr('age','gt',2)|map(attribute='name')|list }}|{{ nums|select('odd')|list }}|{{ nums|reject('odd')|list }}|{{ words|map('upper')|join }}|{{ users[1:]|map(attribute='x.y.1')|list }}|{{ users|map(attribute='zz',default='q')|list }}
{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.length }}{{ loop.depth }}{{ loop.previtem.role if not loop.first }}{{ loop.nextitem.role if not loop.last }};{% endfor %}
{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }}{{ m.content }}{{ loop.last }}{% else %}none{% endfor %}|{% for m in [] %}x{% else %}none{% endfor %}
{% for i in [1,2] %}{% continue %}{% else %}all cut short{% endfor %}|{% set ns = namespace(seen=false) %}{% for i in nums if not ns.seen %}{{ i }}{% set ns.seen = i == 2 %}{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{k}}{% endfor %}{% for k,v in d|items %}{{k}}{% endfor %}{% for a, (b, c) in [(1,(2,3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for c in 'abc' %}{{ loop.cycle('x','y') }}{{ c }}{% endfor %}{% for a in [1,1,2] %}{{ loop.changed(a) }}{% endfor %}{% for i in [1,2] %}{% for j in [1,2] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{% set x = 1 %}{% for i in range(3) %}{{ x }}{% set x = x + i + 10 %}{{ x }}{% endfor %}{{ x }}
{% set ns = namespace(x=1, y='a') %}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns['y'] }}{{ ns.zz is defined }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t = 1, %}{{ t }}{% set z | upper | replace('O','0') %}foo{{ n }}{% endset %}{{ z }}
{% macro m(a, b=2, c='x') %}<{{ a }}{{ b }}{{ c }}{{ varargs }}{{ kwargs }}>{% endmacro %}{{ m(1) }}{{ m(1,b=3) }}{{ m(1,2,3,4,q=5) }}{{ m() }}
{% macro m(a) %}<{{ a }}{{ caller('z') if caller }}>{% endmacro %}{% call(q) m(1) %}body {{ q }}{% endcall %}{{ m(2) }}
{% macro tree(n) %}{{ n }}{% if n > 0 %}({{ tree(n-1) }}){% endif %}{% endmacro %}{{ tree(5) }}
{% set x = 'outer' %}{% macro q() %}{{ x }}{{ late }}{% endmacro %}{% set late = 'L' %}{{ q() }}{% for i in [1] %}{% set x = 'inner' %}{{ q() }}{{ x }}{% endfor %}
{% filter upper %}abc{{ n }}{% endfilter %}{% with a=1, b=2 %}{{ a+b }}{% endwith %}{{ a is defined }}{% generation %}abc{% set q = 1 %}{% endgeneration %}{{ q is defined }}
{% raw %}{{ x }} {% if %}{% endraw %}|{# comment {{ x }} #}|{%- raw -%} a {%- endraw -%} |
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}
{{ 'a' ~ 1 ~ none ~ undefinedx }}|{{ 'ab' * 3 }}|{{ [1] * 2 + [3] }}|{{ '%s-%d-%5.2f|%-5s|%05d' % ('x', 3, 2.5, 'ab', 42) }}|{{ '%s' % 'y' }}|{{ '{} {}'.format(1, 'b') }}{{ '{a}{{}}'.format(a=2) if false }}
{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 'a' in 'abc' }}{{ 'z' not in 'abc' }}{{ 1 in [1,2] }}{{ 'b' in d }}{{ 1 == 1.0 }}{{ 1 == true }}{{ 'a' < 'b' }}{{ [1,2] < [1,3] }}{{ (1,) == [1] }}{{ {'a':1} == {'a':1.0} }}
{{ x is defined }}{{ x is undefined }}{{ n is number }}{{ n is string }}{{ d is mapping }}{{ l is iterable }}{{ l is sequence }}{{ t is boolean }}{{ f is float }}{{ n is integer }}{{ 'A' is upper }}{{ 4 is even }}{{ 4 is divisibleby 2 }}{{ n is not none }}{{ 1 is in [1] }}{{ 'a' is eq 'a' }}{{ 1 is true }}{{ x is iterable }}{{ n is iterable }}{{ range is callable }}{{ 'upper' is filter }}
{{ x|default('q') }}{{ e|default('q') }}{{ e|default('q', true) }}{{ none|default('q') }}{{ x }}{{ x|length }}{{ x|upper }}{{ x|list }}{{ x|join }}{{ x|first }}{{ x == y }}{{ x == none }}{{ 'a' if x else 'b' }}{{ 'a' if x }}
{{ '  a b  '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'a,b,c'.split(',') }}|{{ 'a b  c'.split() }}|{{ 'a,b,c'.split(',',1) }}|{{ 'a,b,c'.rsplit(',',1) }}|{{ ' a b c '.split(None,1) }}|{{ ' a b c '.rsplit(None,1) }}|{{ 'a\nb\r\nc\n'.splitlines() }}
{{ 'abc'.startswith('ab') }}|{{ 'abc'.endswith(('c','d')) }}|{{ 'abcabc'.find('c') }}{{ 'abcabc'.rfind('c') }}{{ 'abc'.find('z') }}{{ 'héc'.index('c') }}{{ 'aaa'.count('a') }}|{{ 'aXbX'.replace('X','y',1) }}|{{ 'ab cd'.title() }}|{{ 'ABC d'.capitalize() }}|{{ 'a=b=c'.partition('=') }}{{ 'a=b=c'.rpartition('=') }}{{ 'prefix'.removeprefix('pre') }}{{ '12'.isdigit() }}{{ 'AB'.isupper() }}
{{ d.get('b') }}{{ d.get('q') }}{{ d.get('q', 5) }}{{ d.keys()|list }}{{ d.values()|list }}{{ d.items()|list }}{{ l.index(1) }}{{ l.count(1) }}{{ d.keys()|length }}
{{ 'a b-c (d)'|title }}|{{ 'hELLO'|capitalize }}|{{ 'abc'|reverse }}|{{ [1,2]|reverse|list }}|{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb\n\nc'|indent(2, true) }}|{{ 'a\n\nb'|indent('> ', blank=true) }}|{{ '3.7'|int }}{{ 'x'|int(9) }}{{ ' 12 '|int }}|{{ '2.5'|float }}|{{ 2.567|round(2) }}{{ 2.5|round }}{{ 2.1|round(0,'ceil') }}|{{ 'a b c'|wordcount }}|{{ 'ab'|center(7) }}|{{ '%s %s'|format(1,2) }}
{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%Y-%m-%d %H:%M:%S %A %B %j %-d %e %y %a %p %f %z|%Z %%') }}|{{ strftime_now('') }}
{{ range(5)|list }}{{ range(2,8,3)|list }}{{ range(3,0,-1)|list }}{{ dict(a=1) }}{{ dict({'a':1}, b=2) }}{{ range(*[1,3])|list }}{{ dict(**{'a':1}) }}
{{ 'x' if n == 7 else 'y' if n == 8 else 'z' }}|{{ -n }}|{{ - -n }}|{{ not not n }}|{{ -3|abs }}|{% set it = nums|select('odd') %}{{ it|first }}{{ it|list }}{{ it|list }}
{% set messages = messages[1:] %}{{ messages|length }}{% if not sysm is defined %}{% set sysm = 'D' %}{% endif %}{{ sysm }}{% for m in messages %}{% if loop.first %}{% set q = 1 %}{% endif %}{{ q is defined }}{% endfor %}{{ q is defined }}
{{ raise_exception('no way') }}
{{ x.y }}
{{ x + 1 }}
{{ 'a' + 1 }}
{{ l.append(1) }}
{{ foo() }}
{{ 1/0 }}
{{ [3,'a']|sort }}
{% for i in 5 %}{% endfor %}
{% set d.x = 1 %}
{% set a, b = 1 %}
{{ nums|select('odd')|length }}
{{ [x]|tojson }}
{{ range(100001) }}
{% if %}{% endif %}
{% endif %}
{% unknown %}
{% if x %}
{{ x
{{ 'abc
{# abc
'''.strip("\n").split("\n")

# White space, comments, raw blocks, ends of lines.
SPACES = [
    'a\n  {% if t %}\n  b\n  {% endif %}\nc\n', 'a {%- if t -%} b {%- endif -%} c', ' {%+ if t %} x{% endif +%}\ny',
    '{{ n }}\n{{ n }}\n\n', '{{- n -}}\n x', '  {# c #}\n x {# d #}\ny', '{#- c -#} x',
    'x\r\n{% set a=1 %}\r\ny\rz\r\n', '\n\n{% if t %}\n\n{% endif %}\n\n', '  {{ n }}  \n  {%- set q = 1 %}  \n z',
    '{% if t %}  \n a{% endif %}  \n', '{%if t%}a{%endif%}', '{{n}}{%- raw %} {{ }} {% endraw -%}  z',
    'a\n\t {%- if t %}\n\t b\n\t {%- endif %}\n', '{% raw -%}   a   {%- endraw %}\n b', 'x{% raw %}\n  y{% endraw %}\n z',
    '  {% raw %}y\n  {% endraw %}\n z', '{{ "}}" }}{{ \'%}\' }}{% set q = "%}" %}{{ q }}', '{{ {"a":{"b":1}}}}',
    '{{ {"a":{"b":1}}["a"] }}', '{{ "a\nb" }}', "{{ 'a\\\nb' }}", '{{1}}{{2}}{{- 3 -}} {{ 4 }}',
    '\u00a0{%- if t -%}\u2003x{% endif %}', '{% if t -%}\n   a\n{%- else %}\n b{% endif %}\n', '{{ n }}\n', '\n', '',
    '\n\n', 'a {# x -#} b', 'a\n   {# x #}   \n b', '{% set x = 1 %}\n\n{% set y = 2 %}\n{{ x }}\n   {{ y }}\n', '{ % x % }',
    '{{', '{%', '{#', '}}{{ n }}', '{{ n }}}', '{{n}}}}']

# Templates as models have them, and near misses of each other.
HEAD = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>'"
TAIL = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
MODELS = [
    HEAD + " + '\\n' }}{% endfor %}" + TAIL,
    "{{ bos_token }}" + HEAD + " + '\\n' }}{% endfor %}" + TAIL,
    HEAD + " }}{% endfor %}" + TAIL,
    HEAD + " + eos_token + '\\n' }}{% endfor %}" + TAIL,
    HEAD + " + '\\n' }}{% endfor %}" + TAIL + "{{ 'Answer:' }}",
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}{% endif %}" + HEAD
    + " + '\\n' }}{% endfor %}" + TAIL,
    """{%- if messages[0]['role'] == 'system' -%}
    {%- set system_message = messages[0]['content'] | trim -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set system_message = '' -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{{ bos_token }}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('roles must take turns') }}
    {%- endif -%}
    {%- if message['role'] == 'user' -%}
        {{ '[INST] ' + (system_message ~ '\\n\\n' if loop.first and system_message else '') + message['content'] + ' [/INST]' }}
    {%- elif message['role'] == 'assistant' -%}
        {{ ' ' + message['content'] | trim + eos_token }}
    {%- endif -%}
{%- endfor -%}
""",
    """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = strftime_now("%d %b %Y") if strftime_now is defined else "26 Jul 2024" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none %}{{- tools | tojson(indent=4) }}{% endif %}
{%- for message in messages %}
    {%- if message.role == "system" %}{{- message.content | trim }}{{- "<|eot_id|>" }}{% continue %}{%- endif %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    """{%- set ns = namespace(last=-1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.last < 0 and message.role == "user" and message.content is string %}{%- set ns.last = index %}{%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if message.role == "assistant" and '</think>' in content %}
        {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- if loop.index0 > ns.last %}{{- '<think>' + thought + '</think>' }}{%- endif %}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
{%- endfor %}
{{- '<|im_start|>assistant\\n' if add_generation_prompt }}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
""",
    """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_user_prefix = messages[0]['content'] + '

' -%}
    {%- else -%}
        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '

' -%}
    {%- endif -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '
' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>
' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model
'}}
{%- endif -%}
""",
    """{{ bos_token }}{% macro turn(role, text) %}<start_of_turn>{{ role }}
{{ text | trim }}<end_of_turn>
{% endmacro %}{% for m in messages if m.role != 'system' %}{{ turn('model' if m.role == 'assistant' else m.role, m.content) }}{% endfor %}{% if add_generation_prompt %}<start_of_turn>model
{% endif %}""",
    """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    """{% for message in messages %}{% if message.role == 'assistant' %}{% generation %}{{ message.content }}{{ eos_token }}{% endgeneration %}{% else %}{{ message.role | upper }}: {{ message.content | trim }}
{% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"""]


class Day(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 11, 28)


def expect(template):
    chat_template_utils.datetime = Day
    try:
        compiled = chat_template_utils._cached_compile_jinja_template(template)
        return {"template": template, "text": compiled.render(**json.loads(json.dumps(VARIABLES)))}
    except Exception:  # refusals have many types
        return {"template": template}


def main():
    cases = [expect(template) for template in LINES + SPACES + MODELS]
    json.dump({"jinja2": jinja2.__version__, "transformers": transformers.__version__, "date": "2026-11-28",
               "variables": VARIABLES, "cases": cases}, sys.stdout, indent=0)
    print()


if __name__ == "__main__":
    main()
