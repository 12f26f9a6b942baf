-- Which rows hold versions by place: those of a level are written until there are twice as many versions.
local function level_of(versions)
  local level, rows = 0, math.floor(versions / 64) + 1
  while rows >= 2 do
    level = level + 1
    rows = math.floor(rows / 2)
  end
  return level
end

local function places_row(level, place)
  return 'p' .. level .. ':' .. struct.unpack('<I4', place) % 2 ^ level
end
