"""What the words and sentences in error bodies mean, whoever sends them: one table, read from top to bottom.

Providers, gateways and servers borrow each other's vocabulary, so it is kept in one place; what only one of them means
by a word stands in its file in `providers/`. Specific meanings come first, common ones last. Each line is a regular
expression, without regard to case: `words` fit a whole type, code or reason in snake_case, `texts` are found anywhere
in a message. Sources: the providers' API references and error answers seen in issue trackers, read 2026-11.
"""

from typing import Final

from providerswitch.api.health import HealthClass as C
from providerswitch.probes.meaning import means

VOCABULARY: Final = (
    means(
        C.MODEL_LOADING,
        "the model is loading",
        words=r"""
            model_loading
            loading_model
            model_not_ready(?:_exception)?
            model_warming_up
        """,
        texts=r"""
            \bload(?:ing)? (?:the )?model\b
            model\b.{0,120}\b(?:is|still|being)\b.{0,20}\b(?:loading|loaded)\b
            \b(?:warming up|cold start|model is not ready)\b
            \bstarting up\b
        """,
    ),
    means(
        C.QUOTA_EXHAUSTED,
        "no credit, budget or plan allowance left",
        words=r"""
            insufficient_(?:quota|balance|credits?|funds)\w*
            \w*_insufficient_(?:balance|credits?|quota|funds)
            billing_(?:not_active|error|hard_limit_reached|limit_\w+|required)
            credit_balance_\w+
            \w*(?:spend|spending|usage|resource|budget)_limit_(?:exceeded|reached)
            budget_exceeded(?:_error)?
            (?:payment|credits?)_required
            (?:out_of|no|not_enough)_(?:credits?|balance|funds)
            account_(?:suspended|balance_\w+)
            monthly_\w*(?:limit|quota)\w*
            exceeded_current_quota\w*
            quota_exhausted
            arrearage
            free_(?:quota|tier|trial)_\w*(?:exhausted|exceeded|ended|only)\w*
            allocation_quota_free_tier_only
        """,
    ),
    means(
        C.OVERLOADED,
        "the provider lacks capacity",
        words=r"""
            \w*overloaded\w*
            (?:over|no|insufficient|out_of)_capacity\w*
            capacity_exceeded\w*
            model_busy
            engine_busy
            server_busy
            queue_full
        """,
        texts=r"""
            \boverloaded\b
            \bhigh (?:demand|traffic|load)\b
            \b(?:at|over|lacks?|insufficient|no available|exceeded) capacity\b
            \bcapacity (?:exceeded|constraints?)\b
            \bpending requests exceeded\b
            \bqueue is full\b
            \bserver (?:is )?busy\b
            \bpeak load\b
            \btoo busy\b
        """,
    ),
    means(
        C.RATE_LIMITED,
        "too many requests in a time window",
        words=r"""
            \w*per_(?:second|minute|hour)\w*
        """,
        texts=r"""
            (?:retry|try\s+again|wait)\s+(?:in|after|for)?\s*[\d.]+\s*(?:ms|s|m|h|sec|min|hour)
            \b(?:hourly|per-minute|per-second)\b
            \b(?:requests?|tokens?|calls?)\b.{0,20}(?:per|/)\s*(?:second|minute|min|hour)\b
        """,
        statuses=(429,),
    ),
    means(
        C.QUOTA_EXHAUSTED,
        "no credit, budget or plan allowance left",
        texts=r"""
            \bcredit balance\b
            \bbalance\b.{0,20}\b(?:insufficient|depleted|too low|exhausted)\b
            \bcredits?\b.{0,30}\b(?:depleted|used up|exhausted|expired)\b
            \bkey limit exceeded\b
            \binsufficient\s+(?:account\s+)?(?:balance|credits?|funds|quota)\b
            \b(?:out of|any|no|more|not enough|used all(?: available)?|purchase|add)\s+(?:\w+\s+)?credits\b
            \bcan only afford\b
            \b(?:spend(?:ing)?|usage|budget|billing|credit)\s+(?:hard\s+)?(?:limit|cap)s?\b
            \bbudget has been exceeded\b
            \bexceeded (?:your|the) (?:current|monthly|included|free) \w*\s?quota\b
            \bexceeded your (?:monthly|included|current)\b
            \bmonthly\b.{0,30}\b(?:limit|quota|credits?|allowance)\b
            \bpayment required\b
            \b(?:check|update) your (?:plan and )?billing\b
            \bbilling (?:is|has) (?:not|been)\b
            \b(?:trial|subscription|plan)\b.{0,40}\b(?:expired|ended)\b
            \bcalls?\s*/\s*month\b
            \baccount\b.{0,40}\b(?:suspended|in arrears|overdue)\b
            余额不足
            欠费
        """,
    ),
    means(
        C.PROBE_REQUEST_INVALID,
        "the request is too long, or asks for what the model cannot do",
        words=r"""
            context_(?:length|window)_exceeded\w*
            too_many_(?:prompt_|input_)?tokens
            request_too_large\w*
            string_above_max_length
            prompt_too_long
            max_tokens_exceeded
            payload_too_large\w*
        """,
        texts=r"""
            \bmax(?:imum)? context length\b
            \bcontext (?:window|length|size)\b
            \b(?:prompt|input)\b.{0,20}\btoo long\b
            \btoo many tokens:\s
            \bno endpoints found that support\b
            \binput tokens? (?:count|exceeded)\b
            \bmaximum number of (?:input )?tokens\b
            \breduce the (?:length|number of)\b
            \blength of all messages\b
            \bmaximum (?:input |prompt |sequence )?length\b
        """,
        statuses=(200, 400, 403, 404, 413, 422, 500),
    ),
    means(
        C.REGION_BLOCKED,
        "refused because of country or region",
        words=r"""
            unsupported_(?:country|region|location)\w*
            \w*(?:region|country|location)_(?:not_supported|blocked)
        """,
        texts=r"""
            \b(?:country|territory|user location)\b.{0,60}\bnot (?:supported|available|allowed)\b
            \b(?:not available|unavailable|restricted|blocked)\b.{0,30} your (?:\w+ )?(?:region|country|location)\b
            \bnot (?:supported|allowed)\b.{0,30} your (?:\w+ )?(?:region|country|location)\b
            \bunsupported (?:country|region|location)\b
            \byour (?:country|region|location)\b.{0,40}\b(?:not|blocked|restricted)\b
        """,
    ),
    means(
        C.CONTENT_FILTERED,
        "the content was blocked by policy",
        words=r"""
            content_(?:filter(?:ed)?|policy_violation|blocked|moderation\w*)
            responsible_ai_policy_violation
            data_inspection_failed
            moderation_\w*
            (?:prompt|output)_blocked
            sensitive_words?_detected
            guardrail\w*
            safety
        """,
        texts=r"""
            \bcontent (?:management|safety|usage) polic
            \bcontent filter
            \bflagged\b.{0,60}\b(?:moderation|violat|unsafe)
            \brequires moderation\b
            \binput was flagged\b
            \bviolates?\b.{0,40}\b(?:polic|guidelines)
            \bsafety_check
            \bsafety system\b
            \bblocked by (?:our )?(?:content|safety|moderation)\b
            \binappropriate content\b
        """,
    ),
    means(
        C.MODEL_UNAVAILABLE,
        "the model is unknown, retired or closed to this account",
        words=r"""
            (?:\w+_)?(?:model|deployment|engine)_(?:id_)?not_(?:found|available|supported|exist\w*|allowed)\w*
            (?:model|deployment|engine)_(?:decommissioned|deprecated|retired|unavailable|unknown|removed|disabled)\w*
            (?:\w+_)?model_(?:terms_required|access_denied)
            (?:unknown|invalid|unsupported|no_such|deprecated)_(?:model|deployment|engine)\w*
            no_available_channel\w*
        """,
        texts=r"""
            \b(?:model|deployment)\b.{0,200}\b(?:not exist|do(?:es)? not have access|not found|was removed)\b
            \b(?:model|deployment)\b.{0,200}\b(?:been|is|was) (?:deprecated|decommissioned|retired|removed)\b
            \b(?:model|deployment)\b.{0,200}\b(?:no longer (?:available|supported)|identifier is invalid)\b
            \b(?:model|deployment)\b.{0,200}\bis (?:not |un)(?:currently )?(?:supported|available|allowed|valid)\b
            \b(?:no such|unknown|invalid|unsupported|unrecogni[sz]ed)\s+(?:model|deployment)\b(?! (?:parameter|config))
            \bnot a valid model\b
            \bnot (?:allowed|authorized|entitled) to (?:use|access|sample from|generate \w+ from)\b.{0,40}\bmodel\b
            (?:don't|do not|doesn't|does not) have access to (?:the |this )?(?:model|deployment)\b
            \bno (?:endpoints?|providers?|deployments?)\b.{0,30}\b(?:for|available for)\b.{0,60}
            ^model: \S+$
            模型不存在
        """,
        statuses=(200, 400, 401, 403, 404, 410, 422, 424, 500, 503),
    ),
    means(
        C.AUTH_INVALID,
        "the key is wrong, revoked or missing",
        texts=r"""
            \bkey was reported as leaked\b
            \bunregistered callers\b
            \bdeactivated\b
            \b(?:subscription|api) key\b.{0,40}\b(?:invalid|expired)\b
            \binvalid subscription key\b
        """,
        statuses=(400, 401, 403),
    ),
    means(
        C.PERMISSION_DENIED,
        "the key is valid, but may not do this",
        words=r"""
            permission_(?:denied|error)\w*
            service_disabled
            api_key_(?:service|http_referrer|ip_address)_blocked
            insufficient_(?:permissions?|scopes?)
            missing_scopes?
            access_denied(?:_exception|_error)?
            (?:ip|organization|project)_not_(?:authorized|allowed)
            not_authorized(?:_exception)?
            authz_\w*
            (?:organization|project|team)_(?:restricted|disabled)
        """,
        texts=r"""
            \bmissing scopes?\b
            \binsufficient permissions?\b
            \blacks? (?:the )?(?:required )?(?:\w+ )?(?:permission|action|role|scope)
            \bpublic access is disabled\b
            \bnot allowed for this organi[sz]ation\b
            \bpermission denied\b(?!.{0,60}suspended)
            \bprincipal does not have access\b
            \b(?:ip|address)\b.{0,40}\bnot (?:allowed|authorized|permitted)\b
            \bvirtual network/firewall\b
            \b(?:is|are) not authorized to (?:perform|access)\b
            \bdoes not have (?:the )?permission\b
            \bhas not been used in project\b
        """,
        statuses=(200, 400, 401, 403),
    ),
    means(
        C.AUTH_INVALID,
        "the key is wrong, revoked or missing",
        words=r"""
            (?:\w+_)?(?:invalid|incorrect|missing|expired|revoked|no|bad)_(?:api_?key|auth\w*|token|credentials?|key)\w*
            (?:api_?key|token|credentials?|key)_(?:invalid|incorrect|missing|expired|revoked|not_found|required)
            auth_\w+
            authentication_(?:error|failed|required)
            authenticate_error
            unauthenticated
            consumer_(?:suspended|invalid)
            (?:unrecognized_client|invalid_signature|expired_token|incomplete_signature)(?:_exception)?
            missing_authentication_token\w*
            token_not_found\w*
            access_token_(?:expired|type_unsupported)
            token_expired
            account_deactivated
            unauthorized(?:_error)?
        """,
        texts=r"""
            \b(?:incorrect|invalid|wrong|missing|no|expired|revoked)\s+(?:\w+\s+)?(?:x-)?api[ -]?(?:keys?|token)\b
            \b(?:incorrect|invalid|wrong|missing|no|expired|revoked)\s+(?:\w+\s+)?(?:authenticat\w+|credentials?|bearer)\b
            \b(?:incorrect|invalid|wrong|missing|no|expired|revoked)\s+(?:\w+\s+)?(?:subscription key|token)\b
            \bapi[ -]?key\b.{0,60}\b(?:not (?:valid|found|provided)|invalid|expired|revoked|incorrect|does not exist)\b
            \bapi[ -]?key\b.{0,60}\b(?:is missing|required|disabled)\b
            \bdidn't provide an api key\b
            \bprovide (?:a valid|your) (?:api )?key\b
            \b(?:security |access |auth )?token\b.{0,40}\b(?:is invalid|invalid|expired|not valid)\b
            \bauthentication (?:fail|required|error|header|credentials)
            \bunauthori[sz]ed\b
            \bno auth credentials\b
            \bnot authenticated\b
            \bconsumer\b.{0,60}\bsuspended\b
        """,
        statuses=(200, 400, 401, 403, 407),
    ),
    means(
        C.RATE_LIMITED,
        "too many requests in a time window",
        words=r"""
            \w*rate_limit\w*
            rate_\w*limit_exceeded
            too_many_requests\w*
            throttl\w+
            request_limit_exceeded
            slow_down
            tokens
            requests
            concurrency_limit\w*
            service_quota_exceeded\w*
        """,
        texts=r"""
            \brate[ -]?limit
            \btoo many (?:requests|tokens|concurrent|connections)
            \bthrottl
            \bconcurrency limit\b
            \bquota exceeded for\b
            \bresource (?:has been )?exhausted\b
            \bslow down\b
            (?:retry|try\s+again|wait)\s+(?:in|after|for)?\s*[\d.]+\s*(?:ms|s|m|h|sec|min|hour)
        """,
        statuses=(200, 400, 403, 413, 420, 429, 500, 502, 503, 529),
    ),
    means(
        C.TIMEOUT,
        "the provider gave up waiting",
        words=r"""
            (?:\w+_)?time_?out(?:_error|_exception)?
            deadline_exceeded
        """,
        texts=r"""
            \btimed? ?out\b
            \bdeadline exceeded\b
            \btook too long\b
        """,
        statuses=(200, 408, 499, 500, 502, 503, 504, 522, 524),
    ),
    means(
        C.SERVER_ERROR,
        "the provider failed",
        words=r"""
            (?:internal_)?server_error
            internal(?:_\w+)?
            service_unavailable\w*
            model_error_exception
            server_exception
        """,
        texts=r"""
            \binternal (?:server )?error\b
            \bserver had an error\b
            \bunexpected error\b
            \bsomething went wrong\b
            \bservice (?:is )?(?:temporarily )?unavailable\b
            \benginedeaderror\b
            \bengine (?:is )?dead\b
        """,
        statuses=(200, 400, 424, 500, 501, 502, 503, 520, 529),
    ),
)
"""In the order of asking: the first that fits is meant."""
