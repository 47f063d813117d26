#!/usr/bin/env python3
"""Makes rules.json: greedy answers of arch/qwen2-tied under the rules of a generation_config.json, by
transformers (5.24, float32). Needs torch and transformers; not needed to build or test."""
import json, random, torch, transformers, os
transformers.logging.set_verbosity_error()
from transformers import AutoModelForCausalLM
HERE=os.path.dirname(os.path.abspath(__file__))
d=os.path.join(HERE,'arch','qwen2-tied')
m=AutoModelForCausalLM.from_pretrained(d,dtype=torch.float32,attn_implementation="eager").eval()
m.generation_config.eos_token_id=None  # it would stand in for a row without stop tokens
V=m.config.vocab_size
rng=random.Random(5)
rows=[]
def run(rules,eos,p,n):
    gc=transformers.GenerationConfig(do_sample=False,max_new_tokens=n,eos_token_id=eos or None,pad_token_id=0,**rules)
    with torch.no_grad():
        out=m.generate(torch.tensor([p]),attention_mask=torch.ones(1,len(p),dtype=torch.long),generation_config=gc)
    g=out[0,len(p):].tolist()
    if eos and g and g[-1] in eos: g=g[:-1]
    return g
for i in range(60):
    p=[rng.randrange(V) for _ in range(rng.randint(1,8))]
    n=14
    free=run({},[],p,n)
    eos=[free[rng.randrange(6)]] if rng.random()<.6 else []
    rules={}
    def maybe(q): return rng.random()<q
    if maybe(.5): rules["repetition_penalty"]=rng.choice([1.05,1.1,1.3,0.8,2.0])
    if maybe(.3): rules["no_repeat_ngram_size"]=rng.choice([1,2,3])
    if maybe(.35): rules["bad_words_ids"]=[[free[rng.randrange(8)]], free[2:4], free[4:7], [rng.randrange(V)]]
    if maybe(.3): rules["suppress_tokens"]=[free[rng.randrange(8)], rng.randrange(V)]
    if maybe(.3): rules["begin_suppress_tokens"]=[free[0]]
    if maybe(.3): rules["min_new_tokens"]=rng.choice([2,5,9])
    if maybe(.2): rules["min_length"]=rng.choice([6,12])
    rows.append(dict(rules=rules,stops=eos,prompt=p,max=n,ids=run(rules,eos,p,n)))
json.dump(dict(source="transformers "+transformers.__version__+", float32, arch/qwen2-tied",rows=rows),open(os.path.join(HERE,'rules.json'),'w'),separators=(',',':'))
print(len(rows), sum(len(r['rules'])==0 for r in rows), os.path.getsize(os.path.join(HERE,'rules.json')))
