"""The program that Envoy and nginx run on every request for a provider: its key, its model names, its parameters.

It looks at the members of the outermost JSON object only, so that a "model" inside a message or a tool stays. A body
that is no JSON object, or of which nothing has to be changed, goes on byte for byte. Nothing recurses: a body may be
nested as deeply as it likes.
"""

from typing import Final

from llmmigrate.rollout.plan import Provider

_SCAN: Final = r"""
local function blanks(s, i)
  return s:match("^[ \t\r\n]*()", i)
end
local function string_end(s, i)
  while true do
    i = s:match('^[^%c"\\]*()', i + 1)
    local c = s:sub(i, i)
    if c == '"' then return i end
    local escaped = c == "\\" and s:find('^["\\/bfnrtu]', i + 1)
    if not escaped and c ~= "\127" then return nil end
    if escaped then i = i + 1 end
  end
end
local function number_end(s, i)
  local e = s:match("^-?0()", i) or s:match("^-?[1-9]%d*()", i)
  e = e and (s:match("^%.%d+()", e) or e)
  e = e and (s:match("^[eE][+-]?%d+()", e) or e)
  return e and e - 1
end
local function scalar_end(s, i)
  if s:sub(i, i) == '"' then return string_end(s, i) end
  local e = s:match("^true()", i) or s:match("^false()", i) or s:match("^null()", i)
  return e and e - 1 or number_end(s, i)
end
local function after_name(s, i)
  local k = s:sub(i, i) == '"' and string_end(s, i)
  local c = k and blanks(s, k + 1)
  if c and s:sub(c, c) == ":" then return blanks(s, c + 1) end
end
local function value_end(s, i)
  local closers = {}
  while i do
    local close = ({["{"] = "}", ["["] = "]"})[s:sub(i, i)]
    local e = nil
    if close then
      closers[#closers + 1] = close
      i = blanks(s, i + 1)
    else
      e = scalar_end(s, i)
      if not e then return nil end
      i = e + 1
    end
    local fresh = close and s:sub(i, i) ~= close
    while not fresh do
      if e and #closers == 0 then return e end
      i = blanks(s, i)
      local c = s:sub(i, i)
      if c == closers[#closers] then
        closers[#closers] = nil
        e = i
        i = i + 1
      elseif c == "," and e then
        i = blanks(s, i + 1)
        fresh = true
      else
        return nil
      end
    end
    if closers[#closers] == "}" then i = after_name(s, i) end
  end
end
local function rewritten(s)
  local i = s:match("^[ \t\r\n]*{[ \t\r\n]*()")
  local parts, changed = {}, false
  while i and s:sub(i, i) == '"' do
    local k = string_end(s, i)
    local v = k and after_name(s, i)
    local e = v and value_end(s, v)
    if not e then return s end
    local name, value = s:sub(i + 1, k - 1), s:sub(v, e)
    local model = name == "model" and MODELS[value:match('^"(.*)"$')]
    changed = changed or model or NAMES[name] or DROPPED[name]
    if model then value = '"' .. model .. '"' end
    if not DROPPED[name] then parts[#parts + 1] = '"' .. (NAMES[name] or name) .. '":' .. value end
    i = s:match("^[ \t\r\n]*,[ \t\r\n]*()", e + 1)
    if not i and s:match("^[ \t\r\n]*}[ \t\r\n]*$", e + 1) then
      return changed and "{" .. table.concat(parts, ",") .. "}" or s
    end
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
