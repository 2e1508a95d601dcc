"""What goes wrong in desk files: what follows the first three lines of one, and how its one problem is said."""

from __future__ import annotations

MISTAKES = [
    ("polcy: {}", "line 4: unknown key: «polcy» is not allowed; did you mean policy? Allowed: desk, name, key"),
    ("calendar: {zone: UTC}", "line 4: calendar: unknown key: «zone» is not allowed; did you mean timezone?"),
    ("profile: standrad", "line 4: profile: «standrad» is not allowed; did you mean standard? Allowed: standard,"),
    ("policy: {reopn: no}", "line 4: policy: unknown key: «reopn» is not allowed; did you mean reopen? Allowed:"),
    ("policy:\n  on_resolve: closed", "line 5: policy.on_resolve: «closed» is not allowed; did you mean close?"),
    ("policy:\n  reopen_within: soon", "line 5: policy.reopen_within: «soon» does not fit; give a number of"),
    ("policy:\n  auto_close_after: 0", "line 5: policy.auto_close_after: 0 business days; allowed are"),
    ("profile: connect\npolicy:\n  survey: true", "line 6: policy.survey: asked after an accept, so it needs"),
    ("policy: {reopen: no}", "line 4: policy: reopen and reopen_within go together"),
    ("policy: {survey: maybe}", "line 4: policy.survey: «maybe» does not fit; give true or false."),
    ("policy: {survey: }", "line 4: policy.survey: an empty value does not fit; give true or false."),
    ("policy: {recipients: opener}", "line 4: policy.recipients: «opener» does not fit; give a list"),
    ("policy: {recipients: [boss]}", "line 4: policy.recipients: «boss» is not allowed. Allowed: opener, contact"),
    ("policy: {labels: {opne: X}}", "line 4: policy.labels.opne: «opne» is not allowed; did you mean open?"),
    ("policy: {required_filters: [produkt]}", "line 4: policy.required_filters: «produkt» is not allowed; did you"),
    ("policy: {required_at_opening: [mood]}", "line 4: policy.required_at_opening: «mood» is not allowed. All"),
    ("policy: {attachment_types: [.pdf]}", "line 4: policy.attachment_types: «.pdf» is not a file name ending"),
    ("policy: {attachment_max_bytes: 0}", "line 4: policy.attachment_max_bytes: give a number of bytes above 0."),
    (
        "policy:\n  status_groups:\n    - {label: All, statuses: [new], colour: red}",
        "line 6: policy.status_groups: unknown key: «colour» is not allowed. Allowed: label, statuses.",
    ),
    ("policy: yes", "line 4: policy: «yes» does not fit; give a mapping of keys to values."),
    ("calendar: {timezone: Europe/Londn}", "line 4: calendar.timezone: unknown time zone 'Europe/Londn': did you"),
    ("calendar:\n  holidays: [GB, GB-EN]", "line 5: calendar.holidays: unknown holiday list 'GB-EN': use a"),
    ("calendar:\n  workdays:\n    - mon\n    - tues", "line 7: calendar.workdays: «tues» is not allowed; did you"),
    ("calendar: {workdays: []}", "line 4: calendar.workdays: give at least one."),
    ("products: ERP", "line 4: products: «ERP» does not fit; give a list, as in [first, second] or"),
    ("products: [ERP, {name: X}]", "line 4: products: a mapping does not fit; give text."),
    ("products: [ERP, Web, erp]", "line 4: products: «erp» is there already, on line 4."),
    (
        "staff:\n  - {email: a@b.example, name: A, role: boss}",
        "line 5: staff.role: «boss» is not allowed. Allowed: a",
    ),
    ("staff:\n  - {email: a@b.example, name: A}", "line 5: staff.role: is missing."),
    ("staff:\n  - email: ada@\n    name: A\n    role: agent", "line 5: staff.email: «ada@» is not a mail address."),
    ("staff:\n  - email: a@b.example\n    name: ' '\n    role: agent", "line 6: staff.name: give one line of 1 to"),
    (
        "staff:\n  - {email: a@b.example, name: A, role: agent}\n  - {email: A@B.example, name: A, role: lead}",
        "line 6: staff.email: «A@B.example» is there already, on line 5.",
    ),
    (
        "staff:\n  - {email: a@b.example, name: A, role: agent}\naccounts:\n  - key: b\n    name: B\n    members:\n"
        "      - {email: a@b.example, name: Anna, role: member}",
        "line 10: accounts.members.name: a@b.example has the name «Anna» here and «A» on line 5; give the same.",
    ),
    ("accounts:\n  - key: acme\n    name: A\n  - key: acme\n    name: B", "line 7: accounts.key: «acme» is there"),
    ("accounts:\n  - key: a b\n    name: A", "line 5: accounts.key: «a b» does not fit; an account's key has"),
    (
        "accounts:\n  - {key: a, name: A, members: [{email: a@b.example, name: A, role: agent}]}",
        "line 5: accounts.members.role: «agent» is not allowed. Allowed: member, admin.",
    ),
    ("accounts:\n  - key: a\n    name: A\n    memebers: []", "line 7: accounts: unknown key: «memebers» is not"),
    ("contacts: [{label: Sales}]", "line 4: contacts.email: is missing."),
    (
        "services: [{name: m, scopes: [case.opn]}]",
        "line 4: services.scopes: «case.opn» is not allowed; did you mean",
    ),
    ("services: [{name: a@b.c, scopes: []}]", "line 4: services.name: «a@b.c» does not fit; a service's name has"),
    (
        "webhooks:\n  - {url: 'ftp://h.example', secret: whsec_…}",
        "line 5: webhooks.url: «ftp://h.example» does not fit; an address begins with https://",
    ),
    ("webhooks: [{url: 'http://h.example', secret: whsec_…}]", "line 4: webhooks.url: «http://h.example» does not"),
    ("webhooks: [{url: 'https://', secret: whsec_…}]", "line 4: webhooks.url: «https://» does not fit"),
    ("webhooks: [{url: 'https://a:b@h.example', secret: whsec_…}]", "line 4: webhooks.url: «https://a:b@h.ex"),
    (
        "webhooks: [{url: 'https://h.example:99999', secret: whsec_…}]",
        "line 4: webhooks.url: «https://h.example:99",
    ),
    (
        "webhooks: [{url: 'https://h.example', events: [case.note], secret: whsec_…}]",
        "line 4: webhooks.events: «case.note» is not allowed; did you mean case.noted or case.",
    ),
    ("webhooks: [{url: 'http://8.8.8.8', secret: whsec_…}]", "line 4: webhooks.url: «http://8.8.8.8» does not"),
    (
        "webhooks: [{url: 'https://h.example', secret: x}]",
        "line 4: webhooks.secret: a webhook's secret is whsec_ and",
    ),
    (
        "webhooks: [{url: 'https://h.example', secret: whsec_bm90IGVub3VnaA==}]",
        "line 4: webhooks.secret: a webhook's secret is whsec_ and 24 to 64 random bytes in base64",
    ),
    ("products: [A]\nproducts: [B]", "line 5: products: given twice; it is already on line 4."),
    ("products: [A", "line 5: not valid YAML: while parsing a flow sequence"),
    # Nearly right.
    ("Policy: {}", "line 4: unknown key: «Policy» is not allowed; did you mean policy? Allowed: desk,"),
    ("product: [ERP]", "line 4: unknown key: «product» is not allowed; did you mean products?"),
    (
        "policy: {auto_close_after: 3 days}",
        "line 4: policy.auto_close_after: «3 days» does not fit; give a number of b",
    ),
    ("policy: {reopen_within: 400}", "line 4: policy.reopen_within: 400 business days; allowed are 1 to 365"),
    (
        "policy: {attachment_max_bytes: 25 MB}",
        "line 4: policy.attachment_max_bytes: «25 MB» does not fit; give a number",
    ),
    (
        "policy: {once_sealed: follow-up}",
        "line 4: policy.once_sealed: «follow-up» is not allowed; did you mean follow_",
    ),
    (
        "policy: {urgency: priority}",
        "line 4: policy.urgency: «priority» is not allowed. Allowed: severity, impact, none",
    ),
    (
        "policy: {customer_may_end_by: accept}",
        "line 4: policy.customer_may_end_by: «accept» does not fit; give a list",
    ),
    (
        "policy: {labels: {Closed: Shut}}",
        "line 4: policy.labels.Closed: «Closed» is not allowed; did you mean closed?",
    ),
    ("policy: {labels: {closed: ''}}", "line 4: policy.labels: a label is one line of text."),
    ("policy: {labels: {new: null}}", "line 4: policy.labels: cases of this desk can be new: give a label and not"),
    ("policy:\n  - survey: true", "line 4: policy: a list does not fit; give a mapping of keys to values."),
    ("policy: {status_groups: [{label: A, statuses: []}]}", "line 4: policy.status_groups: «A» has no statuses"),
    (
        "policy:\n  status_groups:\n    - {label: A, statuses: [new]}\n    - {label: a, statuses: [open]}",
        "line 5: policy.status_groups: «a» is there twice.",
    ),
    (
        "policy:\n  required_filters:\n    - product\n    - prodcut",
        "line 7: policy.required_filters: «prodcut» is not allowed; did you mean product? Allowed: status, product",
    ),
    (
        "calendar: Europe/London",
        "line 4: calendar: «Europe/London» does not fit; give a mapping with timezone, workda",
    ),
    (
        "calendar: {timezone: london}",
        "line 4: calendar.timezone: unknown time zone 'london': did you mean Europe/London",
    ),
    (
        "calendar: {workdays: [Mon]}",
        "line 4: calendar.workdays: «Mon» is not allowed; did you mean mon? Allowed: mon,",
    ),
    ("calendar: {holidays: GB}", "line 4: calendar.holidays: «GB» does not fit; give a list, as in"),
    ("calendar: {holidays: [2026-13-01]}", "line 4: calendar.holidays: holiday '2026-13-01' is not a day of the"),
    (
        "profile: appcentral\nproducts: []",
        "line 5: products: give at least one: the policy's required_filters asks",
    ),
    ("severities: []", "line 4: severities: give at least one: the policy's urgency asks for a severity."),
    ("severities: [High: 1]", "line 4: severities: a mapping does not fit; give text."),
    # Required, and nothing to choose: a form that nobody could send.
    (
        "policy: {required_at_opening: [product]}",
        "line 1: products: give at least one: the policy's required_at_opening asks for a product.",
    ),
    (
        "case_types: []\npolicy: {required_at_opening: [subject, type]}",
        "line 4: case_types: give at least one: the policy's required_at_opening asks for a type.",
    ),
    (
        "policy: {required_at_opening: [severity]}\nseverities: []",
        "line 5: severities: give at least one: the policy's required_at_opening and urgency ask for a severity.",
    ),
    (
        "profile: msp-portal",
        "line 1: accounts: give at least one: the policy's required_at_opening asks for account, contact and "
        "environment.",
    ),
    (
        "policy: {required_at_opening: [contact]}\naccounts: []",
        "line 5: accounts: give at least one: the policy's required_at_opening asks for contact.",
    ),
    (
        "profile: msp-portal\naccounts:\n  - {key: a, name: A, environments: [Live]}\n  - key: b\n    name: B",
        "line 7: accounts.environments: the account b has none, so nobody could open a case for it: give at least "
        "one, or leave environment out of the policy's required_at_opening.",
    ),
    (
        "policy: {required_at_opening: [environment]}\naccounts:\n  - key: b\n    name: B\n    environments: []",
        "line 8: accounts.environments: the account b has none",
    ),
    (
        "staff: [ada@vendor.example]",
        "line 4: staff: «ada@vendor.example» does not fit; give a mapping with email, name",
    ),
    ("staff:\n  -", "line 5: staff: an empty value does not fit; give a mapping with email, name, role."),
    (
        "staff:\n  - {email: 'Ada <ada@vendor.example>', name: A, role: agent}",
        "line 5: staff.email: «Ada <ada@vendor.example>» is not a mail address.",
    ),
    (
        "staff:\n  - {email: a@b.example, name: A, role: agent, phone: 1}",
        "line 5: staff: unknown key: «phone» is not allowed. Allowed: email, name, role.",
    ),
    (
        "accounts:\n  - key: acme\n    name: Acme\n    members:\n"
        "      - {email: a@b.example, name: A, role: member}\n      - {email: A@b.example, name: A, role: admin}",
        "line 9: accounts.members.email: «A@b.example» is there already, on line 8.",
    ),
    (
        "accounts: [acme]",
        "line 4: accounts: «acme» does not fit; give a mapping with key, name, environments, members.",
    ),
    ("services: [monitoring]", "line 4: services: «monitoring» does not fit; give a mapping with name, scopes."),
    ("services: [{name: m, scopes: case.open}]", "line 4: services.scopes: «case.open» does not fit; give a list"),
    ("services: [{name: m, scopes: [case.*]}]", "line 4: services.scopes: «case.*» is not allowed; did you mean"),
    (
        "webhooks: [{url: 'https://h.example', secret: whsec_…, events: []}]",
        "line 4: webhooks.events: give at least",
    ),
    ("webhooks: [{url: 'https://h.example'}]", "line 4: webhooks.secret: is missing."),
    # What YAML makes of it.
    ("name: Again", "line 4: name: given twice; it is already on line 2."),
    ("products:\n\t- A", "line 5: not valid YAML: while scanning for the next token, found character '\\t' that"),
    ("products:[A]", "line 4: not valid YAML: a key needs a colon and a space after it, as in «name: Desk»."),
    ("products: *list", "line 4: not valid YAML: found undefined alias 'list'."),
    ("policy: &own {survey: false}\ncalendar: {<<: *own}", "line 5: calendar: unknown key: «<<» is not allowed."),
    ("products: !!python/name:os.system", "line 4: not valid YAML: could not determine a constructor for the tag"),
    ("---\ndesk: other", "line 4: not valid YAML: expected a single document in the stream"),
    ("? [a]\n: b", "line 4: not valid YAML: while constructing a mapping, found unhashable key"),
    ("products: &all [*all]", "line 4: products: a list does not fit; give text."),
]
