package main

import (
	"encoding/json"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
)

type comparison struct {
	Applied json.RawMessage `json:"applied"`
	Source  json.RawMessage `json:"source"`
	Live    json.RawMessage `json:"live"`
}

// predict returns the live object with the patch that a sync would send. Before the patch is computed, fields that the
// last applied source did not have (defaults, the status) are taken out of live, as Argo CD 3.6 does.
func predict(question []byte) (any, error) {
	var given comparison
	if err := json.Unmarshal(question, &given); err != nil {
		return nil, err
	}
	named, err := limited(given.Applied, given.Live)
	if err != nil {
		return nil, err
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(given.Applied, given.Source, named)
	if err != nil {
		return nil, err
	}
	predicted, err := jsonpatch.MergePatch(given.Live, patch)
	return json.RawMessage(predicted), err
}

func limited(source, live []byte) ([]byte, error) {
	var wanted, found any
	if err := json.Unmarshal(source, &wanted); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(live, &found); err != nil {
		return nil, err
	}
	return json.Marshal(intersect(wanted, found))
}

// intersect keeps of found what wanted has a field for; items of lists are paired by their position.
func intersect(wanted, found any) any {
	switch known := wanted.(type) {
	case map[string]any:
		if fields, alike := found.(map[string]any); alike {
			return intersectFields(known, fields)
		}
	case []any:
		if items, alike := found.([]any); alike {
			return intersectItems(known, items)
		}
	}
	return found
}

func intersectFields(wanted, found map[string]any) map[string]any {
	kept := map[string]any{}
	for name, value := range wanted {
		if there, has := found[name]; has {
			kept[name] = intersect(value, there)
		}
	}
	return kept
}

func intersectItems(wanted, found []any) []any {
	kept := append([]any{}, found...)
	for place := range min(len(wanted), len(found)) {
		kept[place] = intersect(wanted[place], found[place])
	}
	return kept
}
