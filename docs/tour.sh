#!/usr/bin/env bash
# The life of one case on the demo desk "standard", over HTTP, against a running `casebound up`: docs/tour.md.
# Needs bash, curl and python3. CASEBOUND_API: address of the API. CASEBOUND_DATA_DIR: of the stack (.casebound).
set -euo pipefail

data_dir=${CASEBOUND_DATA_DIR:-.casebound}
here=$(cd "$(dirname "$0")/.." && pwd)
casebound=$(command -v casebound || echo "$here/.venv/bin/casebound")
desk=standard ada=ada@lumen.example grace=grace@lumen.example bob=bob@acme.example priya=priya@acme.example
# A word that no other case has, so that lists and mailbox can be asked for this tour alone.
word=tour$(python3 -IS -c 'import secrets; print(secrets.token_hex(4))')
subject="Payroll run stops at employee 1042 ($word)"
step=preparing number="" answer="" code=""

fail() {
  printf '\nFAILED while %s: %s\n' "$step" "$*" >&2
  exit 1
}

# field NAME: that field of the JSON on standard input; nested with dots, empty for null.
field() {
  python3 -IS -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value[int(name)] if isinstance(value, list) else (value or {}).get(name)
print("" if value is None else value)' "$1"
}

# call TOKEN METHOD PATH [BODY]: sets $answer and $code.
call() {
  local body=()
  [[ $# -lt 4 ]] || body=(--header "Content-Type: application/json" --data "$4")
  answer=$(curl --silent --show-error --max-time 30 --write-out '\n%{http_code}' --request "$2" \
    --header "Authorization: Bearer $1" --header "Accept: application/json" "${body[@]}" \
    "$api/api/v1/desks/$desk$3") || fail "no answer from $api"
  code=${answer##*$'\n'} answer=${answer%$'\n'*}
}

expect_code() {
  [[ $code == "$1" ]] || fail "the answer is $code, expected $1: $answer"
}

expect() { # NAME ACTUAL EXPECTED
  [[ $2 == "$3" ]] || fail "$1 is «$2», expected «$3»"
  printf '   %-8s %s\n' "$1" "$2"
}

# until_true SECONDS WHAT COMMAND…: asks again and again, and gives up after SECONDS.
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || fail "waited in vain for $what"
    sleep 0.1
  done
}

# mails RECIPIENT OLD TEXT: how many mails about this case say that to the recipient, the OLD first ones aside.
mails() {
  curl --silent --show-error --max-time 10 --header "Accept: application/json" "$api/dev/mailbox" | python3 -IS -c '
import json, sys
recipient, word, old, text = sys.argv[1:]
about = [mail for mail in json.load(sys.stdin)["items"] if recipient in mail["to"] and word in mail["subject"]]
print(sum(text in " ".join(mail["text"].split()) for mail in about[: len(about) - int(old)]))' "$1" "$word" "$2" "$3"
}

# mailed RECIPIENT TEXT: whether this step has brought them such a mail.
mailed() {
  [[ $(mails "$1" "${before[$1]}" "$2") -gt 0 ]]
}

# listed TOKEN STATUS SEQ: whether searching for the word finds this case alone, with that status.
listed() {
  call "$1" GET "/cases?q=$word&status=$2&after_seq=$3"
  expect_code 200
  [[ $(field total <<<"$answer") == 1 && $(field items.0.number <<<"$answer") == "$number" ]]
}

# check TOKEN STATUS EVENTS TEXT RECIPIENT…: what status, events, mail and search show now.
# TOKEN is that of whoever acted; EVENTS are the newest kinds; TEXT stands in a new mail to each RECIPIENT.
check() {
  local token=$1 status=$2 kinds=$3 text=$4 seq actor
  shift 4
  call "$token" GET "/cases/$number"
  expect_code 200
  seq=$(field seq <<<"$answer")
  expect status "$(field status <<<"$answer")" "$status"
  call "$token" GET "/cases/$number/events?after_seq=$((seq - $(wc -w <<<"$kinds")))"
  expect_code 200
  expect events "$(python3 -IS -c 'import json, sys
print(*(event["kind"] for event in json.load(sys.stdin)["items"]))' <<<"$answer")" "$kinds"
  for recipient in "$@"; do
    until_true 20 "a mail to $recipient${text:+ that says «$text»}" mailed "$recipient" "$text"
    printf '   %-8s %s\n' mail "$recipient${text:+: «$text»}"
  done
  actor=${people[$token]}
  ! mailed "$actor" "" || fail "$actor was mailed about what they did themselves"
  until_true 20 "the search for «$word» to show it as $status" listed "$token" "$status" "$seq"
  printf '   %-8s %s: found, %s\n' search "$word" "$status"
}

begin() {
  step=$1
  printf '\n%s\n' "$1"
  for person in "${people[@]}" $priya; do before[$person]=$(mails "$person" 0 ""); done
}

# act TOKEN ACTION BODY
act() {
  call "$1" POST "/cases/$number/$2" "$3"
  [[ $code == 200 || $code == 201 ]] || fail "the answer is $code: $answer"
}

declare -A people before
token_of() { "$casebound" token "$1" --desk "$desk" --data-dir "$data_dir" | tail -n 1; }

step="looking for the stack"
api=${CASEBOUND_API:-$(field api <"$data_dir/stack.json")} || fail "none runs in $data_dir: start one with make up"
curl --silent --fail --max-time 10 --output /dev/null "$api/readyz" || fail "$api is not ready"
step="getting tokens"
as_bob=$(token_of $bob) as_ada=$(token_of $ada) as_grace=$(token_of $grace)
people=([$as_bob]=$bob [$as_ada]=$ada [$as_grace]=$grace)
echo "Bob is a customer; Ada and Grace are staff of $api/api/v1/desks/$desk"

begin "Bob opens a case and copies Priya"
call "$as_bob" POST /cases "{\"subject\": \"$subject\", \"description\": \"The run ends with error P-17.\",
  \"product\": \"Payroll\", \"type\": \"Incident\", \"severity\": \"High\", \"account\": \"acme\", \"cc\": [\"$priya\"]}"
expect_code 201
number=$(field number <<<"$answer")
echo "   case     $desk/$number"
check "$as_bob" new opened "The run ends with error P-17." $priya

begin "Grace assigns it to Ada"
act "$as_grace" assign "{\"assignee\": \"$ada\"}"
check "$as_grace" open assigned "" $ada

begin "Ada asks a question"
act "$as_ada" comments '{"body": "Which pay period is it?", "await_reply": true}'
check "$as_ada" awaiting_customer "commented awaiting_customer" "Which pay period is it?" $bob $priya

begin "Bob answers"
act "$as_bob" comments '{"body": "It is November."}'
check "$as_bob" open "commented resumed" "It is November." $ada $priya

begin "Bob escalates"
act "$as_bob" escalate '{"comment": "Salaries are due tomorrow."}'
check "$as_bob" escalated escalated "Salaries are due tomorrow." $ada $priya

begin "Bob escalates again, which is refused"
call "$as_bob" POST "/cases/$number/escalate" '{"comment": "Really."}'
expect_code 409
expect code "$(field code <<<"$answer")" already_escalated

begin "Ada resolves it"
act "$as_ada" resolve '{"resolution_type": "provided", "root_cause": "A locked record.", "summary": "The record is free."}'
[[ -n $(field auto_close_at <<<"$answer") ]] || fail "the resolved case has no auto_close_at"
printf '   %-8s %s\n' closes "by itself at $(field auto_close_at <<<"$answer")"
check "$as_ada" resolved resolved "The record is free." $bob $priya

begin "Bob rejects the resolution with a reason"
act "$as_bob" reject '{"reason": "Now it stops at 1043."}'
check "$as_bob" open rejected "Now it stops at 1043." $ada $priya

begin "Ada resolves it again"
act "$as_ada" resolve '{"resolution_type": "provided", "summary": "All records are free."}'
check "$as_ada" resolved resolved "All records are free." $bob $priya

begin "Bob accepts and answers the survey"
act "$as_bob" accept '{"survey": {"q1": 5, "q2": "Quick in the end."}}'
expect survey "$(field survey.q2 <<<"$answer")" "Quick in the end."
[[ -n $(field reopen_until <<<"$answer") ]] || fail "the closed case has no reopen_until"
printf '   %-8s %s\n' reopen "possible until $(field reopen_until <<<"$answer")"
check "$as_bob" closed "accepted closed" "" $ada $priya

begin "Bob reopens it with a reason"
act "$as_bob" reopen '{"reason": "December stops as well."}'
check "$as_bob" open reopened "December stops as well." $ada $priya

printf '\ntour complete: %s/cases/%s went from new to closed and back\n' "$desk" "$number"
