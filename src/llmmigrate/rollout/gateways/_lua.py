"""The program that Envoy and nginx run on every request for a provider: its key, its model names, its parameters.

It looks at the members of the outermost JSON object only, so that a "model" inside a message or a tool stays.
"""

from typing import Final

from llmmigrate.rollout.plan import Provider

_SCAN: Final = r"""
local function string_end(s, i)
  while true do
    i = s:find('["\\]', i + 1)
    if not i then return nil end
    if s:sub(i, i) == '"' then return i end
    i = i + 1
  end
end
local function nested_end(s, i)
  local depth = 0
  while true do
    i = s:find('[%[%]{}"]', i)
    if not i then return nil end
    local c = s:sub(i, i)
    if c == '"' then
      i = string_end(s, i)
      if not i then return nil end
    elseif c == "{" or c == "[" then
      depth = depth + 1
    else
      depth = depth - 1
      if depth == 0 then return i end
    end
    i = i + 1
  end
end
local function value_end(s, i)
  local c = s:sub(i, i)
  if c == '"' then return string_end(s, i) end
  if c == "{" or c == "[" then return nested_end(s, i) end
  local stop = s:find("[,}%s]", i)
  return stop and stop - 1
end
local function rewritten(s)
  local i = s:match("^%s*{%s*()")
  local parts = {}
  while i and s:sub(i, i) == '"' do
    local k = string_end(s, i)
    local v = k and s:match("^%s*:%s*()", k + 1)
    local e = v and value_end(s, v)
    if not e then return s end
    local name, value = s:sub(i + 1, k - 1), s:sub(v, e)
    local model = name == "model" and MODELS[value:sub(2, -2)]
    if model then value = '"' .. model .. '"' end
    if not DROPPED[name] then parts[#parts + 1] = '"' .. (NAMES[name] or name) .. '":' .. value end
    i = s:match("^%s*,%s*()", e + 1)
    if not i and s:match("^%s*}%s*$", e + 1) then return "{" .. table.concat(parts, ",") .. "}" end
  end
  return s
end
"""


def program(provider: Provider) -> str:
    """Lua that defines `KEY`, a string or nil, and `rewritten(body)`, the body as `provider` wants it."""
    key = f'os.getenv("{provider.key}")' if provider.key else "nil"
    return "\n".join(
        [
            f"local KEY = {key}",
            f"local MODELS = {_table(provider.models)}",
            f"local NAMES = {_table(provider.map_params)}",
            f"local DROPPED = {_table(dict.fromkeys(provider.drop_params, True))}",
            _SCAN.strip(),
        ]
    )


def _table(pairs: "dict[str, str] | dict[str, bool]") -> str:
    """A Lua table; a plan's names hold no quotes and no backslashes."""
    items = (f'["{key}"] = {"true" if value is True else f"{chr(34)}{value}{chr(34)}"}' for key, value in pairs.items())
    return "{" + ", ".join(items) + "}"
