"""English signs of prompt injection and jailbreaks, and the delimiters of chat formats (any language)."""

from __future__ import annotations

from gateway.guardrails.injection.signs import sign

_CANCEL = (
    r"(?:ignore|disregard|forget|override|bypass|skip|discard|drop|neglect|abandon|do not (?:follow|obey)|don'?t (?:follow|obey)|stop (?:following|obeying)|pay no attention to|cancel|erase|"
    r"set aside|throw (?:out|away)|delete|remove|disable|turn off|violate|break)"
)
_PRIOR = r"(?:previous|prior|above|earlier|preceding|all|any|every|your|original|initial|system|former|existing|these|those|past|the|my last|given|current)"
_INSTRUCTION = (
    r"(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|commands?|constraints?|restrictions?|polic(?:y|ies)|filters?|guardrails?|context|training|programming|safeguards?|"
    r"safety(?: (?:measures|protocols?|polic(?:y|ies)|guidelines))?|limitations?|orders|system messages?)"
)
_NEGATED = (
    r"(?:\bnot\b|\bnever\b|n't|\bwithout\b|\bforbid\w*|\bprevent\w*|\bavoid\w*|\bprohibit\w*|\bstop\w*)\W+(?:\w+\W+){0,3}(?:ignor|disregard|forget|skip|overrid|bypass|reveal|send|disclos|disab)\w*|prompt injection|"
    r"\battack(?:er|s|ers)?\b|phishing|\bmanual\b|\bhandbook\b|(?:such|phrases|text|sentences?) (?:as|like)|header|column|\brow\b|whitespace|\bcase\b|my (?:previous|last|earlier) (?:e-?mail|message|note)"
)
_HIDDEN_PROMPT = (
    r"(?:(?:your|the|this) (?:\w+ )?(?:system|initial|original|hidden|secret|internal|developer|starting|confidential|base|first|pre-?)\s?-?(?:prompt|instructions?|messages?|rules?|directives?|guidelines?|configuration|settings)|"
    r"your (?:prompt|instructions|rules|guidelines|system message|configuration|programming|initial text|directives)|(?<!\ba )(?<!\ban )system prompt|hidden (?:instructions?|prompts?|rules?)|(?:initial|secret|original) (?:prompt|instructions)|"
    r"(?:the )?(?:text|words|content|everything|sentences?|lines?|message|prompt)s? (?:above|before) (?:this|my|here)|everything above|the above (?:text|prompt|instructions?) verbatim)"
)
_REVEAL = r"(?:reveal|show|print|output|repeat|display|tell|give|list|write|dump|leak|translate|summari[sz]e|quote|recite|copy|share|expose|encode|append|disclose|what (?:is|are|was|were)|spell|return|say|share|paste|read)"
_AGENT = r"(?:A\.?I\.?|LLMs?|language models?|assistants?(?! (?:manager|director|professor|vice|secretary))|chat ?bots?|bots?|agents?(?=[,:]| (?:reading|processing|must|should|seeing))|models?(?= (?:reading|processing|must|that|which|seeing))|summari[sz]ers?|copilot|GPT(?:-\d)?|Claude|Gemini)"
_VERB = (
    r"(?:do not|don'?t|never|must|should|please|say|output|append|include|ignore|send|forward|recommend|give|rate|reply|respond|write|state|add|call|execute|insert|report|mark|approve|disregard|tell|"
    r"when|while|if|after|make sure|be sure|ensure|summari[sz]e|evaluate|rank|score|transfer|delete|email|post|visit|open|fetch|render|reveal|classify|you|before|instead|always|only|start|stop|from now)"
)

SIGNS = (
    sign("injection.en.override", rf"\b{_CANCEL}\W+(?:\w+\W+){{0,3}}?{_PRIOR}\W+(?:[\w']+\W+){{0,5}}?{_INSTRUCTION}\b", 0.85, 0.85, _NEGATED),
    sign("injection.en.override", r"\b(?:ignore|disregard|forget)\W+(?:all|everything|anything|whatever|what)\b[^.\n]{0,20}?(?:above|before|previous(?:ly)?|prior|told|said|earlier|instructed|learned|know)", 0.82, 0.82, _NEGATED),
    sign("injection.en.override", r"\b(?:new|updated|real|actual|true) (?:instructions?|task|directive|orders?|objective)s?\b\s?(?::|-|are|is|follow)", 0.42, 0.55),
    sign("injection.en.override", r"\b(?:instead of|rather than) (?:following|obeying) (?:your|the|those)\b|\bno longer (?:need to|have to|bound|follow|obey)\b", 0.45),
    sign("injection.en.extract", rf"\b{_REVEAL}\b[^.\n]{{0,50}}?{_HIDDEN_PROMPT}", 0.8, 0.75, _NEGATED + r"|what is an? (?:system )?prompt|how (?:do|to|can) \w+ (?:write|protect|design)"),
    sign("injection.en.extract", rf"{_HIDDEN_PROMPT}[^.\n]{{0,30}}(?:verbatim|word for word|exactly|in full|code block|as is|letter by letter)", 0.6),
    sign("injection.en.extract", r"\b(?:verbatim|word for word)\b[^.\n]{0,40}(?:above|\"You are|starting with)|starting with [\"“'‘]?you are", 0.6),
    sign("injection.en.extract", r"\b(?:instructions?|prompts?|text|message|rules|directives|messages) (?:that )?(?:you (?:were|have been|had been|are|got|received)|(?:were|was) given to you|given to you|the developers? gave you)\b(?: (?:given|told|provided|trained|following|shown))?(?=[^.\n]{0,60}(?:verbatim|\?|beginning|start|initially|by (?:your|the)|exact|before|first|\Z|and show|in full))", 0.62, 0.6, _NEGATED),
    sign("injection.en.extract", r"\bwhat (?:were|are|have) you (?:been )?(?:told|instructed|given|not (?:supposed|allowed) to)\b|\b(?:text|words|content|conversation|message)\b[^.\n]{0,12}\babove\b[^.\n]{0,16}\b(?:in full|in its entirety|code ?block|verbatim|exactly)|\b(?:repeat|output|print|copy)\b[^.\n]{0,16}\b(?:text|message|everything|content)\b (?:above|before)|\b(?:initiali[sz]ation|starting|opening) (?:string|instructions|prompt|message)\b|\bI was (?:instructed|told|programmed) to[\"'”]|my instructions are\b", 0.55, 0.5, _NEGATED),
    sign("injection.en.extract", r"\b(?:display|show|output|print|dump)\b[^.\n]{0,20}\bsystem config\w*|\bneed to see\b[^.\n]{0,12}\bsystem prompt|\b(?:complete|continue|finish)\b[^\n]{0,30}\b(?:system prompt|my (?:instructions|prompt)|instructed to)\b", 0.6, 0.55, _NEGATED + r"|manual|router|server|linux"),
    sign("injection.en.rules_changed", r"\byour (?:\w+ )?(?:rules|policies|guidelines|instructions|restrictions|filters|programming) (?:have|has|had) (?:been )?(?:changed|updated|removed|lifted|disabled|replaced|reset|modified)\b|\byou (?:now|can now|are now) (?:allow|permit|free|able to say)", 0.5),
    sign("injection.en.rules_changed", r"\b(?:exempt from|outside of|not subject to)\b[^.\n]{0,24}\b(?:restrictions?|rules|polic\w+|guidelines|filters?)\b|\b(?:safety )?guidelines (?:were|are) not meant\b|\brestricted content\b|\bcomply fully\b|\bgrant (?:all|any|this user|me)\b", 0.4, 0.45, _NEGATED),
    sign("injection.en.purpose", r"\byour (?:real|true|actual|new|only|primary|hidden) (?:task|purpose|goal|job|objective|role|mission)\b", 0.36, 0.42),
    sign("injection.en.memory", r"\b(?:save|store|remember|add|write)\b[^.\n]{0,40}\b(?:long-term |persistent |permanent )?memory\b|\bfor all (?:future|subsequent|following) (?:tasks?|turns?|sessions?|repl\w+|responses?|requests?|conversations?)\b|\b(?:every|all) (?:future|subsequent) (?:\w+ )?(?:summar\w+|repl\w+|responses?|answers?|reports?|output|conversations?)\b", 0.2, 0.5, r"computer|RAM\b|meeting|we will"),
    sign("injection.en.insert", r"\b(?:include|append|add|insert|mention|put|write|place|state)\b[^.\n]{0,70}\b(?:in|into|to|at the (?:end|top|start|bottom) of|within)\b (?:your|every|each|any) (?:\w+ )?(?:summar\w+|repl\w+|responses?|answers?|reports?|outputs?|messages?)\b", 0.05, 0.5),
    sign("injection.en.persona_name", r"\b(?:your (?:new )?name is now|you are replaced by|act(?:s|ing)? (?:now )?as|going to act as|play the role|pose as|named|called)\b[^.\n]{0,24}[\"“]?[A-Z][A-Za-z]*(?:GPT|Bot|AI|\.AI)\b", 0.4),
    sign("injection.en.all_above", r"\babove (?:all )?else\b|\bdo not ever (?:deny|refuse|decline)|\bwill never (?:refuse|deny|decline)|\bnever (?:say|respond|reply) (?:that )?(?:you|it)(?:'re| are)? (?:can'?t|cannot|unable|an ai)|\bno matter (?:how|what)[^.\n]{0,30}\b(?:illegal|immoral|unethical|harmful|dangerous)|\b(?:illegal|immoral|unethical|offensive|harmful)(?:,| and| or)[^.\n]{0,20}\b(?:illegal|immoral|unethical|offensive|harmful|dangerous|disgusting)\b", 0.34, 0.34, r"prohibit|must not|policy|report|prevent|avoid"),
    sign("injection.en.prefix", r"\A\s*(?:assistant|system|ai)\s?:\s*(?:sure|of course|certainly|here is|here are|okay|ok|yes)\b", 0.55),
    sign("injection.en.end_marker", r"\b(?:END|BEGIN|START) (?:OF )?(?:USER |SYSTEM |NEW |THE )?(?:INPUT|INSTRUCTIONS?|PROMPT|MESSAGE|QUERY|CONTEXT|DOCUMENT)\b", 0.32, 0.4),
    sign("injection.en.bulk", r"\b(?:e-?mail|send|forward|export|upload|copy|transmit)\b[^.\n]{0,24}\b(?:full|entire|whole|complete|all)?\b[^.\n]{0,10}\b(?:customer|client|user|employee|contact|account|patient)s?'?\b[^.\n]{0,8}\b(?:list|database|records|data|e-?mails|details)\b[^\n]{0,40}\b(?:to|at) [\w.+-]+@", 0.55, 0.66, _NEGATED),
    sign("injection.en.bulk", r"\b(?:credentials?|api keys?|passwords?|secrets?|tokens?)\b[^.\n]{0,30}\b(?:you can (?:access|find|see|read)|send (?:them|it)|to [\w.+-]+@|and (?:send|forward|e-?mail) )", 0.5, 0.6, _NEGATED),
    sign("injection.en.persona", r"\b(?:you are (?:now|no longer)|from now on,? (?:you|act|answer|respond)|you(?:'re| are) going to (?:act|be|pretend)|act as|pretend (?:to be|that|you)|role-?\s?play(?:ing)? as|simulate|behave as|imagine (?:you are|that you)|take on the (?:persona|role)|stay in character|you will (?:be|act as)|play the role)\b", 0.28, 0.4),
    sign("injection.en.unleash", r"\b(?:(?:no|without|without any|zero|free (?:of|from)|ignoring (?:all|any|your)|lacking|have no) (?:\w+ )?(?:rules|filters?|restrictions?|limits?|limitations?|morals?|moral\w*|ethic\w*|guidelines|censorship|boundaries|content polic\w+|constraints|guardrails|safety|inhibitions)|unrestricted|unfiltered|uncensored|do anything now|not bound by|anything goes|never refuse|can(?:not|'t) refuse|always comply|must comply|no longer bound|evil|amoral|unethical|illegal|without (?:any )?(?:warnings?|disclaimers?|refusal))\b", 0.5, 0.5, _NEGATED + r"|filter on|must not|policy that"),
    sign("injection.en.mode", r"\b(?:DAN|STAN|DUDE|AntiDAN|developer mode|god mode|jail ?break(?:ed|ing)?|debug mode|sudo mode|admin mode|evil ?bot|opposite mode|unlocked mode)\b[^.\n]{0,60}", 0.45, 0.45, r"android|phone|usb|browser|settings menu"),
    sign("injection.en.authority", r"\b(?:i am|i'm|as|this is) (?:the|an|your|a) (?:\w+ )?(?:admin\w*|developer|creator|owner|ceo|engineer|openai|anthropic|security (?:team|officer|researcher)|superuser|root)\b", 0.32, 0.35, r"please help|employee of"),
    sign("injection.en.data_demand", r"\b(?:dump|list|show|reveal|export|print|give|output|send)\b[^.\n]{0,16}\b(?:all|every|entire|full|other)\b[^.\n]{0,16}\b(?:customer|user|client|patient|employee|account|admin)s?'?\b[^.\n]{0,10}\b(?:records?|data|passwords?|accounts?|details|information|e?-?mails?|credentials|names|database)\b", 0.5, 0.55, _NEGATED + r"|report|table|query|column|screen|dashboard"),
    sign("injection.en.data_demand", r"\b(?:what(?:'s| is) the|tell me the|give me the|reveal the|print the) (?:admin(?:istrator)?|root|secret|database|api|master)\b[^.\n]{0,10}(?:password|key|token|credentials?)", 0.5, 0.6),
    sign("injection.en.story", r"\b(?:grandma|grandmother|bedtime story|lullaby|hypothetical(?:ly)?|fiction(?:al)?|novel|screenplay|imagine a world|for (?:educational|research) purposes)\b[^\n]{0,120}\b(?:napalm|bomb|malware|api keys?|license keys?|passwords?|windows keys?|without (?:rules|restrictions)|explosive|meth|hack|steal|credentials)\b", 0.6),
    sign("injection.en.addressee", rf"(?:\b(?:note|message|instructions?|attention|reminder|notice|important|warning|hey|dear|hi|to|for|if you are)\b[^.\n]{{0,16}})?\b(?:any |all |the |every |an? )?{_AGENT}\b(?: (?:models?|assistants?|agents?|systems?|reviewers?|tools?|readers?))?(?: (?:reading|processing|summari[sz]ing|reviewing|analy[sz]ing|that reads?|who reads?|seeing|handling|parsing)[^.:,\n]{{0,40}})?\s?[,:\]>-]+\s*{_VERB}\b", 0.3, 0.66),
    sign("injection.en.addressee", r"\bif you(?:'re| are) an? (?:AI|LLM|(?:large )?language model|assistant|bot|automated)\b", 0.4, 0.7),
    sign("injection.en.addressee", r"\b(?:when|while|after|before) (?:summari[sz]ing|processing|translating|reading|answering|analy[sz]ing|you (?:summari[sz]e|read|process|answer))\b[^.\n]{0,50}\b(?:append|include|insert|add|send|omit|ignore|say|mention|do not|recommend|always)\b", 0.2, 0.45),
    sign("injection.en.conceal", r"\b(?:do not|don'?t|never|without)\W+(?:mention(?:ing)?|tell(?:ing)?|reveal(?:ing)?|inform(?:ing)?|alert(?:ing)?|notify(?:ing)?|disclos(?:e|ing)|let(?:ting)?)\b[^.\n]{0,24}\b(?:user|human|anyone|reader|operator|them|this (?:message|instruction|note|text))\b", 0.42, 0.5, r"employees|staff|customers? must|password"),
    sign("injection.en.conceal", r"\b(?:do not|don'?t|never|without)\W+(?:ask(?:ing)?|request(?:ing)?|wait(?:ing)?)\b[^.\n]{0,16}\b(?:confirmation|permission|approval|consent)\b", 0.3, 0.36),
    sign("injection.en.conceal", r"\bdo not mention\b[^.;\n]{0,60}[;,.]\s*(?:instead|just|rather)|\binstead,? (?:say|state|write|report|claim|tell)\b", 0.3, 0.5),
    sign("injection.en.exfiltrate", r"\b(?:send|forward|post|append|include|upload|transmit|exfiltrate|leak|embed|render|e-?mail|submit|copy|attach|encode)\b[^.\n]{0,60}\b(?:conversation|chat|history|user'?s?|e-?mail|passwords?|api keys?|credentials?|secrets?|data|tokens?|context|contents?|transcript|message)\b[^\n]{0,50}(?:https?://|[\w.+-]+@[\w-]+\.\w|attacker|webhook|\burl\b|\bimage\b|query (?:string|parameter))", 0.4, 0.66, _NEGATED + r"|employees must"),
    sign("injection.en.tool", r"\b(?:call|invoke|execute|run|use|trigger)\b (?:the )?(?:[a-z]+_[a-z_]+|\w+ (?:tool|function|api|plugin))\b", 0.15, 0.5, r"\bto (?:override|configure|enable)\b|npm run|pip "),
    sign("injection.en.tool", r"\b(?:you must|must now|immediately|right now)\b[^.\n]{0,20}\b(?:call|invoke|execute|run|transfer|delete|send|wire|purchase|approve)\b", 0.2, 0.5, r"employees|staff|customers?|branch"),
    sign("injection.en.force_output", r"\b(?:only|just|simply)\b (?:say|respond|reply|output|answer|print|write)(?: with)? [\"'“‘]|\b(?:highest|maximum|perfect|top) (?:score|rating|grade|marks)\b[^.\n]{0,60}(?:regardless|no matter|whatever)?|\brecommend (?:acceptance|approval|hiring)\b[^.\n]{0,30}\bregardless\b", 0.25, 0.42, r"\b(?:achieved|received|scored|won|earned|obtained)\b"),
    sign("injection.en.force_output", r"\b(?:begin|start)\b[^.\n]{0,24}\b(?:with|by saying)\b [\"'“‘](?:sure|of course|absolutely|certainly|yes)", 0.5),
    sign("injection.en.priority", r"\b(?:my|these|this|the following|new)\b (?:instructions?|commands?|orders?|message)\b[^.\n]{0,24}\b(?:override|supersede|take (?:priority|precedence)|replace|come first)", 0.7),
    sign("injection.en.hypothetical", r"\b(?:bypass|circumvent|evade|get around|disable|turn off)\b[^.\n]{0,20}\b(?:safety|content filters?|filters?|guardrails?|moderation|restrictions|alignment|polic(?:y|ies))\b", 0.5, 0.5, _NEGATED + r"|forbid|employees|staff|circuit|fuse"),
    sign("injection.en.harm", r"\b(?:how to|instructions (?:for|to)|steps to|recipe for|help me)\b (?:\w+ ){0,3}(?:build|make|making|create|synthesi[sz]e|hack|steal|launder)\b[^.\n]{0,24}\b(?:bomb|explosives?|napalm|meth|malware|ransomware|virus|weapon|bank|account|money|passwords?|credit cards?)\b", 0.5, 0.3),
    sign("injection.en.decode", r"\b(?:decode|decrypt|base64|rot13|hex)\b[^.\n]{0,40}\b(?:and (?:then )?(?:follow|execute|obey|answer|do|run|act))\b", 0.5, 0.55),
)  # fmt: skip

_ES = r"(?:ignora(?:r|d|te)?|olvida|desobedece|ignorez|oublie[zr]?|ignoriere(?:n Sie)?|vergiss|missachte|ignora(?:re)?|dimentica|ignore|esque[cç]a|desconsidere|negeer|vergeet)"
# The same order in languages that reach a bank less often.
OTHER_LANGUAGES = (
    sign("injection.xx.override", rf"\b{_ES}\b[^.\n]{{0,40}}\b(?:instruc\w+|anweisung\w*|istruzion\w+|instruç\w+|instructies|consignes|regeln|règles|reglas|regole|regras)\b", 0.82),
    sign("injection.xx.extract", r"\b(?:muestra|revela|montre|affiche|révèle|zeig\w*|offenbare|mostra(?:mi)?|rivela|mostre|revele)\b[^.\n]{0,40}\b(?:prompt|system ?prompt|instruc\w+|anweisung\w*|istruzion\w+)", 0.7),
    sign("injection.zh.override", r"(?:忽略|无视|無視|忘记|忘掉|忘記|不要理会|抛弃)[^。\n]{0,12}(?:之前|以上|先前|前面|所有|上述|此前)[^。\n]{0,8}(?:指令|指示|提示|命令|规则|規則|要求|内容)", 0.85),
    sign("injection.zh.extract", r"(?:显示|輸出|输出|告诉我|透露|打印|泄露|重复)[^。\n]{0,10}(?:系统提示|系統提示|提示词|初始指令|系统指令)", 0.8),
    sign("injection.ko.override", r"(?:이전|앞선|위의|기존|모든)[^.\n]{0,12}(?:지시|명령|규칙|지침|프롬프트)[^.\n]{0,12}(?:무시|잊|따르지)", 0.85),
    sign("injection.ko.extract", r"(?:시스템|숨겨진|초기)\s?(?:프롬프트|지시|명령)[^.\n]{0,16}(?:보여|출력|알려|공개)", 0.8),
)  # fmt: skip

# The grammar of chat formats has no business inside a message.
DELIMITERS = (
    sign("injection.delimiter", r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id|begin_of_text)\|>|\[/?INST\]|<</?SYS>>|<\|?(?:begin|end)_of_(?:text|turn)\|?>|<(?:start|end)_of_turn>", 0.85, 0.9),
    sign("injection.delimiter", r"(?:\A|\n)\s*(?:#{2,}|={3,}|-{3,}|\*{2,})\s?(?:system|new instructions?|instructions?|assistant|システム|新しい指示|システム指示|システムプロンプト)\s?(?::|\n|#|=|-|\*)", 0.4, 0.5),
    sign("injection.delimiter", r"</?(?:system|system_prompt|instructions?|tool_response|tool_result|tool_call|assistant|developer|admin)>", 0.45, 0.6, r"<configuration|xmlns|<project|</?(?:dependency|plugin)"),
    sign("injection.delimiter", r"(?:\A|\n|[。.!:：\"] ?)(?:SYSTEM|System|システム|ASSISTANT|DEVELOPER|ADMIN)\s?(?:message|prompt|メッセージ|指示|命令|override|note)?\s?:\s", 0.3, 0.5, r"system: (?:healthy|ok|up|down|normal|linux|windows)"),
    sign("injection.delimiter", r"(?:\A|\n)\s*(?:Human|User|Assistant|AI)\s?:\s", 0.2, 0.3),
    sign("injection.image", r"!\[[^\]]*\]\(\s*https?://[^)\s]*[?&/=][^)\s]*(?:\{|\$\{|\[|<|%7B|【|\(|《)[^)]*\)", 0.6, 0.85),
    sign("injection.image", r"!\[[^\]]*\]\(\s*https?://[^)]+\)[^\n]{0,40}(?:含め|表示|出力|挿入|include|render|display|append)", 0.5, 0.75),
    sign("injection.image", r"<img[^>]+src=[\"']?https?://[^>]+(?:\{|\$|%7B|document\.cookie)", 0.5, 0.8),
)  # fmt: skip
